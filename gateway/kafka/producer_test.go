package kafka

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/gateway/broker"
	"sluice/gateway/publish"
	"sluice/internal/event"
	"sluice/internal/recordbatch/batchtest"
)

// oneBroker starts a Kafka of one broker in this process.
func oneBroker(t *testing.T) (*kfake.Cluster, *Producer) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "events"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	p, err := New(configOf(cluster.ListenAddrs(), "events"))
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return cluster, p
}

// 202 means that all in-sync replicas have acknowledged. So every produce request must ask for that.
func TestAcksAll(t *testing.T) {
	t.Parallel()
	cluster, p := oneBroker(t)
	var mu sync.Mutex
	var acks []int16
	cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		acks = append(acks, r.(*kmsg.ProduceRequest).Acks)
		return nil, nil, false
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	one := batchtest.Record{Value: []byte("a"), Headers: []event.Header{{Key: "v", Value: []byte("1")}}}
	two := batchtest.Record{Key: []byte("k"), Value: []byte("b")}
	require.NoError(t, p.Produce(ctx, 1, batchOf(t, one, two)))
	mu.Lock()
	defer mu.Unlock()
	if len(acks) != 1 || acks[0] != -1 {
		t.Fatalf("acks: %v, want one request with -1 (all)", acks)
	}
	resp, err := p.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: "events", Partition: 1, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second,
	})
	require.NoError(t, err)
	first, err := resp.Records.ReadRecord()
	require.NoError(t, err)
	value, err := kafka.ReadAll(first.Value)
	require.NoError(t, err)
	assert.Equal(t, "a", string(value))
	assert.Nil(t, first.Key)
	require.Len(t, first.Headers, 1)
	assert.Equal(t, "v", first.Headers[0].Key)
}

// A broker's error is never taken for an acknowledgement.
func TestProduceErrors(t *testing.T) {
	t.Parallel()
	for _, code := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend, kerr.MessageTooLarge,
		kerr.RequestTimedOut,
	} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			cluster, p := oneBroker(t)
			cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				req := r.(*kmsg.ProduceRequest)
				resp := req.ResponseKind().(*kmsg.ProduceResponse)
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

// A publisher starts without its topic, acknowledges nothing, and goes on when the topic is created.
func TestTopicAppearsLater(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	p, err := New(configOf(cluster.ListenAddrs(), "events"))
	require.NoError(t, err)
	t.Cleanup(p.Close)
	pub, err := publish.New(p, publish.Config{MaxInflightBytes: 1 << 20})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); pub.Run(ctx) }()
	defer func() { stop(); <-done }()

	err = send(pub, batchtest.Plain(1, 10), time.Now().Add(200*time.Millisecond))[0]
	require.ErrorIs(t, err, publish.ErrDeadline, "without a topic")
	create := []kafka.TopicConfig{{Topic: "events", NumPartitions: 2, ReplicationFactor: 1}}
	_, err = p.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: create})
	require.NoError(t, err)
	if err := send(pub, batchtest.Plain(1, 10), time.Now().Add(time.Minute))[0]; err != nil {
		t.Fatalf("with the topic: %v", err)
	}
}
