package consumer

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/kafkaconn"
	"sluice/internal/recordbatch"
)

// benchDay is when the events of the benchmarks begin.
var benchDay = time.Now().UTC().Truncate(24 * time.Hour).Add(time.Hour)

// benchIssues is how many different faults the applications of the benchmarks have. Real events repeat themselves: the same
// line fails again and again, for other users, orders and hosts.
const benchIssues = 300

// benchIssue is one fault: what its events have in common.
type benchIssue struct {
	message, exception, frames string
}

var benchFaults = func() []benchIssue {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable
	words := strings.Fields("timeout payment refused upstream cart session token expired connection reset retry queue worker parse index null order user stock price tax invoice webhook cache")
	word := func() string { return words[rnd.IntN(len(words))] }
	faults := make([]benchIssue, benchIssues)
	for i := range faults {
		var text []string
		for range 7 {
			text = append(text, word())
		}
		text[2], text[5] = "%d", "10.0.%d.7:443"
		faults[i].message = strings.Join(text, " ")
		faults[i].exception = []string{"ConnectError", "ValueError", "TimeoutError", "NullPointerException"}[rnd.IntN(4)]
		var frames []string
		for range 6 {
			frames = append(frames, fmt.Sprintf(`{"filename":"internal/%s/%s_client.go","function":"Client.%s","lineno":%d,"colno":12,"in_app":true,"context_line":"\treturn c.%s(ctx, req)"}`, word(), word(), word(), rnd.IntN(900), word()))
		}
		faults[i].frames = strings.Join(frames, ",")
	}
	return faults
}()

// benchRecord is an event of about 200 or 1,400 bytes as the gateway writes it. What differs between real events of one issue
// differs here: ids, times, users, hosts, releases, numbers in messages.
func benchRecord(n, size int) recordbatch.Record {
	rnd := rand.New(rand.NewPCG(uint64(n), 11)) //nolint:gosec // repeatable
	received := benchDay.Add(time.Duration(n) * time.Millisecond)
	at := received.Add(-time.Duration(20+rnd.IntN(60)) * time.Millisecond)
	id := idV7(at, rnd.Uint64())
	fault := benchFaults[rnd.IntN(benchIssues)]
	message := fmt.Sprintf(fault.message, rnd.IntN(100_000), rnd.IntN(200))
	var value string
	if size < 1000 {
		value = fmt.Sprintf(`{"event_id":"%s","level":"error","environment":"prod","release":"shop@1.4.%d","tags":{"region":"eu"},"message":"%s"}`, id, rnd.IntN(20), message)
	} else {
		user := rnd.IntN(100_000)
		value = fmt.Sprintf(`{"event_id":"%s","timestamp":"%s","level":"error","message":"%s","exception":{"type":"%s","value":"%s","module":"net"},"stacktrace":[%s],`+
			`"tags":{"region":"eu-%d","retry":"%d","canary":"true"},"user":{"id":"u-%d","email":"u%d@example.com"},"sdk":{"name":"sluice-go","version":"1.4.0"},"environment":"production",`+
			`"release":"checkout@2.14.%d","platform":"go","server_name":"pay-%d","transaction":"POST /pay/%d","trace_id":"%016x%016x"}`,
			id, at.Format("2006-01-02T15:04:05.000Z"), message, fault.exception, message, fault.frames, rnd.IntN(4), rnd.IntN(3), user, user,
			rnd.IntN(30), rnd.IntN(50), rnd.IntN(20), rnd.Uint64(), rnd.Uint64())
	}
	return fromGateway(int64(n), "demo", id, received, value)
}

// fillTopic puts events on a new topic of 12 partitions, in batches as large as the gateway's under load.
func fillTopic(b *testing.B, conn kafkaconn.Config, rows, size int) {
	b.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(conn.Brokers...), kgo.DefaultProduceTopic(conn.Topic),
		kgo.ProducerBatchMaxBytes(1900<<10), kgo.ProducerLinger(20*time.Millisecond), kgo.MaxBufferedRecords(200_000),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()), kgo.RecordPartitioner(kgo.StickyPartitioner()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	makeBenchTopic(b, client, conn.Topic, 12)
	makeBenchTopic(b, client, conn.DeadTopic, 1)
	for n := range rows {
		r := benchRecord(n, size)
		out := &kgo.Record{Value: r.Value}
		for _, h := range r.Headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		client.Produce(b.Context(), out, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func makeBenchTopic(b *testing.B, client *kgo.Client, topic string, partitions int32) {
	b.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(b.Context(), client)
	if err != nil {
		b.Fatal(err)
	}
	if code := resp.Topics[0].ErrorCode; code != 0 {
		b.Fatalf("make topic %s: error %d", topic, code)
	}
}
