package kafka

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/consumer/kafka/kafkatest"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// quick is a timing that tests do not have to wait for.
var quick = Timing{Heartbeat: 150 * time.Millisecond, Topic: 150 * time.Millisecond}

// broker is a Kafka in this process and a client of ours that speaks to it.
type broker struct {
	*kafkatest.Broker
	*Client
}

func newBroker(t testing.TB, partitions int) *broker {
	t.Helper()
	b := kafkatest.New(t, partitions)
	ours, err := New(b.Conn, "sluice", quick, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(ours.Close)
	return &broker{Broker: b, Client: ours}
}

// put puts records on a partition, as one batch.
func (b *broker) put(t testing.TB, partition int, records ...recordbatch.Record) {
	t.Helper()
	batch := make([]*kgo.Record, len(records))
	for i, r := range records {
		batch[i] = &kgo.Record{Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			batch[i].Headers = append(batch[i].Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
	}
	b.Broker.Write(t, partition, batch...)
}

// read fetches from an offset on and copies the records.
func (b *broker) read(t testing.TB, partition int, offset int64) ([]recordbatch.Record, Answer, error) {
	t.Helper()
	answer, err := b.Fetch(t.Context(), partition, offset, 200*time.Millisecond)
	if err != nil {
		return nil, Answer{}, err
	}
	var got []recordbatch.Record
	for r, err := range answer.Records {
		if err != nil {
			return got, *answer, err
		}
		kept := *r
		kept.Key, kept.Value, kept.Headers = bytes.Clone(r.Key), bytes.Clone(r.Value), nil
		for _, h := range r.Headers {
			kept.Headers = append(kept.Headers, event.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
		got = append(got, kept)
	}
	return got, *answer, nil
}

// joined is this client in a generation of the group.
func (b *broker) joined(t *testing.T) Member {
	t.Helper()
	group := b.Join()
	t.Cleanup(group.Leave)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	gen, err := group.Next(ctx)
	require.NoError(t, err)
	return gen.Member
}

// numbered is a record with a value and headers.
func numbered(i int) recordbatch.Record {
	return recordbatch.Record{Value: fmt.Appendf(nil, `{"n":%d}`, i), Headers: []event.Header{{Key: "v", Value: []byte("1")}, {Key: "project", Value: []byte("demo")}}}
}

func values(records []recordbatch.Record) []string {
	var out []string
	for _, r := range records {
		out = append(out, string(r.Value))
	}
	return out
}

// letter is a dead letter of a record.
func letter(r recordbatch.Record) DeadLetter {
	return NewDeadLetter(&r, event.DeadMalformedJSON, "malformed_json: x")
}

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 10*time.Millisecond, what)
}
