package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// other is a client of Kafka's that is not ours.
func (p *pipeline) other(opts ...kgo.Opt) *kgo.Client {
	p.t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(strings.Split(lab.brokers, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(c.Close)
	return c
}

// deleteBefore removes the records of a partition before an offset, as retention does and kafka-delete-records.sh.
func (p *pipeline) deleteBefore(partition int, offset int64) {
	p.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = p.name
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Partition, part.Offset = int32(partition), offset
	topic.Partitions = append(topic.Partitions, part)
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = 10_000
	resp, err := req.RequestWith(p.t.Context(), p.other())
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		p.t.Fatal(err, resp)
	}
}

// reset sets the group's offset, as kafka-consumer-groups.sh does while the group has no members.
func (p *pipeline) reset(partition int, offset int64) {
	p.t.Helper()
	p.eventually("the group without members", func() bool {
		resp, err := p.client().OffsetCommit(p.t.Context(), &kafka.OffsetCommitRequest{
			GroupID: p.name, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{p.name: {{Partition: partition, Offset: offset}}},
		})
		return err == nil && resp.Topics[p.name][0].Error == nil
	})
}

// atRest waits until the consumer says that there is no lag, and the group's committed offset that it is at the end. It lives then.
func (p *pipeline) atRest(c *program) {
	p.t.Helper()
	p.eventually("no lag", func() bool { return p.tryLag() == 0 })
	p.eventually("no lag in the metrics", func() bool { return c.figures.read() && c.figures.lag == 0 })
	resp, err := http.Get("http://" + c.figures.admin + "/livez")
	if err != nil {
		p.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		p.t.Errorf("/livez answers %d", resp.StatusCode)
	}
}

// TestGapOnAQuietPartition: records are removed from the topic while no consumer runs, and nothing comes after them. The consumer goes past them,
// counts them once over restarts, and does not count rows that are in the table when the group's offset is set back.
func TestGapOnAQuietPartition(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	c := p.startConsumer()
	p.events(0, 10)
	p.exactly(10)
	stop := func() {
		t.Helper()
		if code := c.term(); code != 0 {
			t.Fatalf("the consumer ended with %d", code)
		}
	}
	stop()
	p.events(0, 2)
	p.deleteBefore(0, 12)
	for range 2 {
		c = p.startConsumer()
		p.atRest(c)
		stop()
	}
	if known := p.counted(); known.gaps != 2 || !known.complete {
		t.Errorf("%d records counted as lost, want 2 (%+v)", known.gaps, known)
	}
	c = p.startConsumer()
	p.events(0, 5)
	p.atRest(c)
	p.exactly(15)
	stop()
	p.reset(0, 0)
	c = p.startConsumer()
	p.atRest(c)
	p.exactly(15)
	stop()
	if known := p.counted(); known.gaps != 2 {
		t.Errorf("%d records counted as lost after a reset, want 2", known.gaps)
	}
}

// TestTransactionalWriter: what committed transactions wrote becomes rows, what aborted ones wrote does not, and the markers behind them are neither
// lag nor loss.
func TestTransactionalWriter(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	w := p.other(kgo.TransactionalID(p.name))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	transaction := func(records int, how kgo.TransactionEndTry) {
		t.Helper()
		if err := w.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range records {
			if err := w.ProduceSync(ctx, p.record()).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.EndTransaction(ctx, how); err != nil {
			t.Fatal(err)
		}
	}
	c := p.startConsumer()
	for i, n := range []int{3, 4, 1, 2, 5} {
		transaction(n, kgo.TransactionEndTry(i%2 == 0))
	}
	p.atRest(c)
	p.exactly(9)
	transaction(3, kgo.TryAbort) // the last thing on the partition
	p.atRest(c)
	p.exactly(9)
	if known := p.counted(); known.gaps != 0 {
		t.Errorf("%d records counted as lost", known.gaps)
	}
	if code := c.term(); code != 0 {
		t.Fatalf("the consumer ended with %d", code)
	}
}

// record is a good event for another client.
func (p *pipeline) record() *kgo.Record {
	id := uuid.NewString()
	return &kgo.Record{Topic: p.name, Value: []byte(`{"message":"event ` + id + `"}`), Headers: []kgo.RecordHeader{
		{Key: "v", Value: []byte("1")}, {Key: "project", Value: []byte("e2e")}, {Key: "event-id", Value: []byte(id)},
		{Key: "received-at", Value: fmt.Append(nil, time.Now().UnixMilli())},
	}}
}
