// Package kafkatest runs a Kafka in the test's process, with another client beside it that shares no code with ours.
//
// The topics are the ones that `sluice topics apply` makes. The broker stops when the test ends. Only tests import this
// package.
package kafkatest

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
	"sluice/internal/topics"
)

// Topic and DeadTopic are the topics of every Broker.
const (
	Topic     = "events"
	DeadTopic = "events.dead"
)

// Broker is one broker with both topics.
type Broker struct {
	*kfake.Cluster

	// Conn is how our own code reaches the broker.
	Conn kafkaconn.Config
	// Other is the client of another program. It writes each record to the partition that the record names.
	Other *kgo.Client
}

// New starts a broker whose events topic has a number of partitions. The dead-letter topic has three.
func New(t testing.TB, partitions int) *Broker {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	conn := kafkaconn.Config{Brokers: fake.ListenAddrs(), Topic: Topic, DeadTopic: DeadTopic}
	layout := topics.Config{Partitions: partitions, Replication: 1, MinISR: 1,
		Retention: settings.Duration(24 * time.Hour)}
	admin, closeAdmin, err := topics.New(conn, layout, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAdmin()
	if err := admin.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := &Broker{Cluster: fake, Conn: conn}
	b.Other = b.client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(4<<20))
	return b
}

func (b *Broker) client(t testing.TB, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(b.ListenAddrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Write puts records on a partition of the events topic, as one batch.
func (b *Broker) Write(t testing.TB, partition int, records ...*kgo.Record) {
	t.Helper()
	for _, r := range records {
		r.Topic, r.Partition = Topic, int32(partition)
	}
	if err := b.Other.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// DeadLetters reads a number of dead letters, in the order of offsets.
func (b *Broker) DeadLetters(t testing.TB, n int) []*kgo.Record {
	t.Helper()
	reader := b.client(t, kgo.ConsumeTopics(DeadTopic), kgo.FetchMaxBytes(64<<20), kgo.FetchMaxPartitionBytes(16<<20))
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("%d of %d dead letters: %v", len(all), n, err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

// Committed is the offset that a group has committed for a partition of the events topic, -1 for none.
func (b *Broker) Committed(t testing.TB, group string, partition int) int64 {
	t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = group
	topic := kmsg.NewOffsetFetchRequestTopic()
	topic.Topic, topic.Partitions = Topic, []int32{int32(partition)}
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(t.Context(), b.Other)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range resp.Topics {
		for _, p := range topic.Partitions {
			return p.Offset
		}
	}
	for _, g := range resp.Groups {
		for _, topic := range g.Topics {
			for _, p := range topic.Partitions {
				return p.Offset
			}
		}
	}
	t.Fatal("no answer for the partition")
	return 0
}

// Grow raises the number of partitions of the events topic.
func (b *Broker) Grow(partitions int32) error {
	req := kmsg.NewPtrCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = Topic, partitions
	req.Topics, req.TimeoutMillis = append(req.Topics, topic), 5000
	resp, err := req.RequestWith(context.Background(), b.Other)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

// Configure changes one setting of the events topic.
func (b *Broker) Configure(t testing.TB, name, value string) {
	t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, Topic
	conf := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	conf.Name, conf.Value = name, &value
	res.Configs = append(res.Configs, conf)
	req.Resources = append(req.Resources, res)
	resp, err := req.RequestWith(t.Context(), b.Other)
	if err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
}

// Recreate deletes the events topic and makes it again with two partitions, so that it has another id.
func (b *Broker) Recreate(t testing.TB) {
	t.Helper()
	name := Topic
	del := kmsg.NewPtrDeleteTopicsRequest()
	del.TopicNames = []string{name}
	one := kmsg.NewDeleteTopicsRequestTopic()
	one.Topic = &name
	del.Topics = append(del.Topics, one)
	if resp, err := del.RequestWith(t.Context(), b.Other); err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
	add := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 2, 1
	add.Topics = append(add.Topics, topic)
	add.TimeoutMillis = int32(10 * time.Second / time.Millisecond)
	if resp, err := add.RequestWith(t.Context(), b.Other); err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
}
