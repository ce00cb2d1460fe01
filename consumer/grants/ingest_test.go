package grants

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/consumer"
	"sluice/consumer/audit"
	"sluice/consumer/clickhouse"
	"sluice/consumer/kafka/kafkatest"
	"sluice/consumer/rows/rowstest"
	"sluice/consumer/schema"
	"sluice/internal/outcome"
	"sluice/internal/settings"
)

// ingested is the project of what the consumer inserts. The other tests leave it out.
const ingested = "pump"

// ingestRights are the rights of the consumer's role on a single server, as GRANT has them.
var ingestRights = func() (out []string) {
	for _, o := range objects {
		for _, right := range o.ingestOn(o.name, false) {
			out = append(out, right+" ON sluice."+o.name)
		}
	}
	return out
}()

// less are users that lack one of the rights each.
var less = func() (out []user) {
	for i := range ingestRights {
		rights := slices.Delete(slices.Clone(ingestRights), i, i+1)
		out = append(out, user{name: fmt.Sprint("less", i), rights: rights})
	}
	return out
}()

// produce writes records with numbers from first on, of which every tenth cannot become a row.
func produce(t *testing.T, b *kafkatest.Broker, first, n int) {
	t.Helper()
	var records []*kgo.Record
	for i := first; i < first+n; i++ {
		value := fmt.Sprintf(`{"message":"event %d"}`, i)
		if i%10 == 0 {
			value = "{"
		}
		header := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
		records = append(records, &kgo.Record{Topic: kafkatest.Topic, Value: []byte(value), Headers: []kgo.RecordHeader{
			header("v", "1"), header("project", ingested), header("event-id", uuid.Must(uuid.NewV7()).String()),
			header("received-at", fmt.Sprint(time.Now().UnixMilli())),
		}})
	}
	require.NoError(t, b.Other.ProduceSync(t.Context(), records...).FirstErr())
}

// consume runs a consumer until the table has a number of rows of the topic.
func consume(t *testing.T, b *kafkatest.Broker, to clickhouse.Config, group string, rows int) {
	t.Helper()
	c, err := consumer.New(consumer.Config{
		Group: group, Store: schema.Config{ClickHouse: to}, BatchRows: 1000, BatchBytes: 16 << 20, BufferBytes: 128 << 20,
		FlushAge: 50 * time.Millisecond, InsertsPerSecond: 100, BlockPartitions: 1000, Sample: 1,
		MaxEventAge: settings.Duration(90 * 24 * time.Hour),
	}, consumer.Deps{
		Kafka: b.Conn, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), DrainTimeout: 20 * time.Second,
	})
	require.NoError(t, err)
	ctx, end := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	want := fmt.Sprint(rows)
	assert.Eventually(t, func() bool {
		body, _ := ask("default", "SELECT count() FROM events_raw WHERE _topic = 'events'")
		return body == want
	}, time.Minute, 50*time.Millisecond, "the rows are not in")
	end()
	require.NoError(t, <-done)
}

// The consumer works with the rights of its role and no others: it inserts events and counts, and asks at its start
// what the table has. So does sluice audit.
func TestIngest(t *testing.T) {
	needEngine(t)
	b := kafkatest.New(t, 1)
	produce(t, b, 0, 100)
	consume(t, b, reach("sluice"), "sluice", 90)
	produce(t, b, 100, 100)
	consume(t, b, reach("sluice"), "sluice", 180)
	body, _ := ask("default", "SELECT sum(events) FROM outcomes_raw WHERE outcome = 'dead_lettered'")
	assert.Equal(t, "20", body)
	auditor, err := audit.New(audit.Config{Group: "sluice", DSN: reach("sluice").DSN, MaxLookups: 1000}, b.Conn, io.Discard)
	require.NoError(t, err)
	defer auditor.Close()
	report, err := auditor.Audit(t.Context())
	require.NoError(t, err)
	assert.Equal(t, audit.Accounted, report.Verdict(), "%+v", report)
	assert.EqualValues(t, 180, report.Total.Rows)
	assert.EqualValues(t, 20, report.Total.DeadLetters)

	require.Len(t, ingestRights, 5)
	require.NoError(t, work(t, reach("sluice"), b))
	for i, u := range less {
		assert.ErrorContains(t, work(t, reach(u.name), b), "necessary to have the grant", "without %s", ingestRights[i])
	}
}

// work does each kind of work that the consumer and its audit do, and returns the first error.
func work(t *testing.T, to clickhouse.Config, b *kafkatest.Broker) error {
	t.Helper()
	table := clickhouse.New(to, slog.New(slog.DiscardHandler))
	defer table.Close()
	block := rowstest.Block(t, rowstest.From(7, ingested, uuid.Must(uuid.NewV7()), time.Now(), `{"message":"m"}`))
	if err := table.Insert(t.Context(), "token-"+to.DSN, block); err != nil {
		return err
	}
	if _, err := table.Missing(t.Context(), "events", 0, block); err != nil {
		return err
	}
	if _, err := table.Erasures(t.Context()); err != nil {
		return err
	}
	row := outcome.Row{Project: ingested, Minute: time.Now().Unix() / 60 * 60, Protocol: "native", Outcome: "rejected", Source: uuid.New(), Events: 1}
	if err := table.InsertOutcomes(t.Context(), []outcome.Row{row}); err != nil {
		return err
	}
	auditor, err := audit.New(audit.Config{Group: "sluice", DSN: to.DSN, MaxLookups: 1000}, b.Conn, io.Discard)
	require.NoError(t, err)
	defer auditor.Close()
	_, err = auditor.Audit(t.Context())
	return err
}
