package clickhouse

import (
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows"
	"sluice/consumer/rows/rowstest"
)

// ofPartitions is rows with the offsets 0 to n-1 for each partition.
func ofPartitions(t *testing.T, partitions, n int) (whole *rows.Block, each []*rows.Block) {
	t.Helper()
	var all []rowstest.Record
	for p := range partitions {
		var own []rowstest.Record
		for offset := range n {
			r := rowstest.Plain(int64(offset))
			r.Partition, r.Envelope.ID = p, rowstest.ID(uint64(1000*p+offset)) // not negative
			own = append(own, r)
		}
		each = append(each, rowstest.Block(t, own...))
		all = append(all, own...)
	}
	return rowstest.Block(t, all...), each
}

// Many partitions that ask at the same time each learn what they lack, over both protocols and over the shards of a
// cluster. Partition p lacks every row whose number is a multiple of p+2.
func TestMissingTogether(t *testing.T) {
	single, other := clickhousetest.Migrated(t), clickhousetest.Migrated(t)
	c, _, _ := twoShards(t)
	native, http := quiet(reach(single.Native())), quiet(reach(other.HTTP()))
	t.Cleanup(native.Close)
	t.Cleanup(http.Close)
	const partitions, n = 20, 9
	whole, blocks := ofPartitions(t, partitions, n)
	var there []int32
	want := make([][]int32, partitions)
	for p := range partitions {
		for row := range n {
			if row%(p+2) == 0 {
				want[p] = append(want[p], int32(row)) // below n
			} else {
				there = append(there, int32(p*n+row)) // below partitions*n
			}
		}
	}
	for name, table := range map[string]*Table{"native": native, "http": http, "cluster": c} {
		require.NoError(t, table.Insert(t.Context(), "", whole.Pick(there)))
		var all sync.WaitGroup
		for p := range partitions {
			for range 3 {
				all.Go(func() {
					missing, err := table.Missing(t.Context(), "events", p, blocks[p])
					assert.NoError(t, err, name)
					assert.Equal(t, want[p], missing, "%s: partition %d", name, p)
				})
			}
		}
		all.Wait()
		missing, err := table.Missing(t.Context(), "other", 0, blocks[0])
		require.NoError(t, err)
		assert.Len(t, missing, n, "another topic")
	}
}

// A question that the server's limits forbid is asked in halves, of the partitions and then of the offsets.
func TestPresentInHalves(t *testing.T) {
	d := clickhousetest.Migrated(t)
	to := newSession(reach(d.Native() + "?max_result_rows=1"))
	defer to.close()
	whole, _ := ofPartitions(t, 3, 4)
	require.NoError(t, to.send(t.Context(), "", whole))
	var all []span
	for p := range 3 {
		all = append(all, span{"events", p, 0, 3})
	}
	got, err := to.present(t.Context(), all)
	require.NoError(t, err)
	for p := range 3 {
		assert.Len(t, got[p], 4, "partition %d", p)
	}
}

// One question asks for so many rows and spans, of one topic.
func TestSpansThatAreAskedTogether(t *testing.T) {
	spans := func(n int, rows int64) []span {
		return slices.Repeat([]span{{topic: "a", first: 7, last: 7 + rows - 1}}, n)
	}
	sizes := func(all []span) (out []int) {
		for _, list := range togetherSpans(all, askedSpans) {
			out = append(out, len(list))
		}
		return out
	}
	for name, c := range map[string]struct {
		all  []span
		want []int
	}{
		"none":                  {nil, nil},
		"one that is too large": {spans(1, 2*askedRows), []int{1}},
		"a row less":            {append(spans(1, askedRows-2), spans(1, 1)...), []int{2}},
		"as many rows":          {append(spans(1, askedRows-1), spans(1, 1)...), []int{2}},
		"a row more":            {append(spans(1, askedRows), spans(1, 1)...), []int{1, 1}},
		"a span less":           {spans(askedSpans-1, 1), []int{askedSpans - 1}},
		"as many spans":         {spans(askedSpans, 1), []int{askedSpans}},
		"a span more":           {spans(askedSpans+1, 1), []int{askedSpans, 1}},
		"two topics": {
			[]span{{topic: "b"}, {topic: "a"}, {topic: "b", partition: 1}}, []int{1, 2},
		},
	} {
		assert.Equal(t, c.want, sizes(c.all), name)
	}
}

// While the server does not answer, fewer spans go into each question, and more again once it does.
func TestPresentAsksForLessAfterAFailure(t *testing.T) {
	d, p := clickhousetest.Migrated(t), clickhousetest.NewProxy(t)
	table := quiet(viaProxy(d, p))
	t.Cleanup(table.Close)
	all := []span{{"events", 0, 0, 3}, {"events", 1, 0, 3}, {"events", 2, 0, 3}}
	ask := func() (failed int) {
		for _, answer := range table.presentOfAll(t.Context(), all) {
			if answer.Err != nil {
				failed++
			}
		}
		return failed
	}
	p.Stay(clickhousetest.Gone)
	for want := int64(askedSpans / 2); want > 1; want = max(want/2, 1) {
		require.Equal(t, len(all), ask())
		require.Equal(t, want, table.spans.Load())
	}
	require.Equal(t, len(all), ask())
	require.EqualValues(t, 1, table.spans.Load())
	p.Stay(clickhousetest.NoFault)
	require.Zero(t, ask())
	require.EqualValues(t, 1<<len(all), table.spans.Load(), "twice for each question of one span")
	for range 6 {
		require.Zero(t, ask())
	}
	require.EqualValues(t, askedSpans, table.spans.Load())
}
