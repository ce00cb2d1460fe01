package kafka

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/gateway/broker"
	"sluice/gateway/publish"
	"sluice/internal/event"
	"sluice/internal/kafkaconn"
	"sluice/internal/recordbatch/batchtest"
)

// oneBroker is an in-process Kafka whose requests a test can look at and spoil.
func oneBroker(t *testing.T) (*kfake.Cluster, *Producer) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "events"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	p, err := New(Config{Conn: kafkaconn.Config{Brokers: cluster.ListenAddrs(), Topic: "events", DeadTopic: "dead"}, Timeout: publish.AttemptTimeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return cluster, p
}

// TestAcksAll: 202 means acknowledged by all in-sync replicas, so that is what every produce request must ask for.
func TestAcksAll(t *testing.T) {
	cluster, p := oneBroker(t)
	var mu sync.Mutex
	var acks []int16
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		acks = append(acks, r.(*kmsg.ProduceRequest).Acks) //nolint:forcetypeassert // ControlKey promises it
		return nil, nil, false
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.Produce(ctx, 1, batchOf(t, batchtest.Record{Value: []byte("a"), Headers: []event.Header{{Key: "v", Value: []byte("1")}}}, batchtest.Record{Key: []byte("k"), Value: []byte("b")})); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(acks) != 1 || acks[0] != -1 {
		t.Fatalf("acks: %v, want one request with -1 (all)", acks)
	}
	resp, err := p.client.Fetch(ctx, &kafka.FetchRequest{Topic: "events", Partition: 1, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	first, err := resp.Records.ReadRecord()
	if err != nil {
		t.Fatal(err)
	}
	value, err := kafka.ReadAll(first.Value)
	if err != nil || string(value) != "a" || first.Key != nil || len(first.Headers) != 1 || first.Headers[0].Key != "v" {
		t.Errorf("got %q %v %v %v", value, first.Key, first.Headers, err)
	}
}

// TestProduceErrors: an error of the broker's is never taken for an acknowledgement.
func TestProduceErrors(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.MessageTooLarge, kerr.RequestTimedOut} {
		t.Run(code.Message, func(t *testing.T) {
			cluster, p := oneBroker(t)
			cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				req := r.(*kmsg.ProduceRequest)                    //nolint:forcetypeassert // ControlKey promises it
				resp := req.ResponseKind().(*kmsg.ProduceResponse) //nolint:forcetypeassert // the pair belongs together
				topic := kmsg.NewProduceResponseTopic()
				topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
				part := kmsg.NewProduceResponseTopicPartition()
				part.Partition, part.ErrorCode = req.Topics[0].Partitions[0].Partition, code.Code
				topic.Partitions = append(topic.Partitions, part)
				resp.Topics = append(resp.Topics, topic)
				return resp, nil, true
			})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			err := p.Produce(ctx, 0, batchOf(t, batchtest.Record{Value: []byte("a")}))
			if err == nil {
				t.Fatal("taken for an acknowledgement")
			}
			if final := errors.Is(err, broker.ErrRefused); final != (code == kerr.MessageTooLarge) {
				t.Errorf("final: %v: %v", final, err)
			}
		})
	}
}

// TestTopicAppearsLater: the gateway starts without its topic, answers 503, and goes on by itself once it is there.
func TestTopicAppearsLater(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	p, err := New(Config{Conn: kafkaconn.Config{Brokers: cluster.ListenAddrs(), Topic: "events", DeadTopic: "dead"}, Timeout: publish.AttemptTimeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	pub, err := publish.New(p, publish.Config{MaxInflightBytes: 1 << 20})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); pub.Run(ctx) }()
	defer func() { stop(); <-done }()

	if err := send(pub, batchtest.Plain(1, 10), time.Now().Add(200*time.Millisecond))[0]; !errors.Is(err, publish.ErrDeadline) {
		t.Fatalf("without a topic: %v", err)
	}
	if _, err := p.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "events", NumPartitions: 2, ReplicationFactor: 1}}}); err != nil {
		t.Fatal(err)
	}
	if err := send(pub, batchtest.Plain(1, 10), time.Now().Add(10*time.Second))[0]; err != nil {
		t.Fatalf("with the topic: %v", err)
	}
}
