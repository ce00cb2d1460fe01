package columns

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/columns/column"
	"sluice/consumer/rows"
	"sluice/consumer/rows/rowstest"
)

// BenchmarkInsert inserts blocks of 50,000 events into tables with 0, 1 and 5 custom columns, one after the other, and
// reports the medians of the rows a second.
//
//	go test ./consumer/columns -run '^$' -bench Insert -benchtime 1x
func BenchmarkInsert(b *testing.B) {
	for _, size := range []int{200, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchmarkInsert(b, size) })
	}
}

func benchmarkInsert(b *testing.B, size int) {
	const events, rounds = 50_000, 11
	block := benchBlock(b, events, size)
	counts := []int{0, 1, 5}
	tables := map[int]*clickhouse.Table{}
	for _, n := range counts {
		d := clickhousetest.Migrated(b)
		m, _ := manager(d.Native(), false)
		for i := range n {
			c, err := column.New(fmt.Sprintf("c%d", i), "LowCardinality(String)", "contexts.account.plan")
			require.NoError(b, err)
			require.NoError(b, m.Add(b.Context(), c, AddOptions{}))
		}
		tables[n] = clickhouse.New(clickhouse.Config{DSN: d.Native()}, nil)
		defer tables[n].Close()
		require.NoError(b, tables[n].Insert(b.Context(), "first", block))
	}
	rates := map[int][]float64{}
	for round := range rounds {
		for _, n := range counts {
			start := time.Now()
			require.NoError(b, tables[n].Insert(b.Context(), fmt.Sprint("token ", round), block))
			rates[n] = append(rates[n], events/time.Since(start).Seconds())
		}
	}
	for _, n := range counts {
		slices.Sort(rates[n])
		b.ReportMetric(rates[n][rounds/2], fmt.Sprintf("rows/s_with_%d", n))
	}
	b.ReportMetric(0, "ns/op")
}

// benchBlock is a block of events of about a size.
func benchBlock(b *testing.B, events, size int) *rows.Block {
	b.Helper()
	var records []rowstest.Record
	for n := range events {
		text := fmt.Sprintf(`{"message":"m %d","level":"info","contexts":{"account":{"plan":"plan %d"}},"extra":"`, n, n%7)
		text += strings.Repeat(fmt.Sprintf("%x", n*7919), size)[:max(0, size-len(text)-2)] + `"}`
		records = append(records, rowstest.From(int64(n), "demo", rowstest.ID(uint64(n)), time.Now(), text))
	}
	return rowstest.Block(b, records...)
}
