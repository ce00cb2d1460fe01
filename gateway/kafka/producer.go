package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"sluice/gateway/broker"
	"sluice/internal/kafkaconn"
	"sluice/internal/recordbatch"
)

// Config says how to reach Kafka.
type Config struct {
	Conn kafkaconn.Config
	// Timeout bounds one request. Brokers wait half of it for the replicas.
	Timeout time.Duration
	// Dial opens a connection to a broker, without TLS and login; nil: over TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Producer is a broker.Producer, broker.Cluster and broker.Describer over kafka-go.
type Producer struct {
	client    *kafka.Client
	transport *kafka.Transport
	topic     string

	refresh refresh
	avoid   atomic.Pointer[[]int32] // brokers that do not answer
}

// New makes a Producer for the topic of the settings. It opens nothing. The caller must Close it.
func New(cfg Config) (*Producer, error) {
	conn, dial := cfg.Conn, cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: connectTimeout}).DialContext
	}
	transport, err := conn.TransportOver("sluice-gateway", dialAlive(dial))
	if err != nil {
		return nil, err
	}
	// Otherwise kafka-go asks for all topics of the cluster, again and again.
	transport.MetadataTopics = []string{conn.Topic}
	transport.DialTimeout = connectTimeout
	client := conn.Client(transport)
	// kafka-go tells the broker to wait half of this for the replicas, and half a second if it is not set.
	client.Timeout = cfg.Timeout
	return &Producer{client: client, transport: transport, topic: conn.Topic}, nil
}

// Produce writes one batch with acks=all.
func (k *Producer) Produce(ctx context.Context, partition int, batch []byte) error {
	lent := &revocableReader{batch: batch}
	resp, err := k.client.RawProduce(ctx, &kafka.RawProduceRequest{
		Topic:        k.topic,
		Partition:    partition,
		RequiredAcks: kafka.RequireAll,
		RawRecords:   protocol.RawRecordSet{Reader: lent},
	})
	written := lent.revoke() && !errors.Is(err, errDeadConn)
	switch {
	case err != nil:
		if !written {
			err = fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
		}
		if noLeader(err) {
			err = fmt.Errorf("%w: %w", broker.ErrAnswered, err)
		}
	case resp.Error != nil:
		err = answered(resp.Error)
	case len(resp.RecordErrors) > 0:
		err = fmt.Errorf("%w: %w: %d records", broker.ErrRefused, broker.ErrAnswered, len(resp.RecordErrors))
	case !written: // kafka-go takes an empty batch for a success
		err = fmt.Errorf("%w: kafka-go did not read the batch", broker.ErrNotWritten)
	}
	if err == nil {
		return nil
	}
	if staleLeader(err) {
		k.refreshSoon()
	}
	return broker.WithReason(fmt.Errorf("produce: %w", err), reasonOf(err))
}

// NewID asks any broker for a producer id.
func (k *Producer) NewID(ctx context.Context) (recordbatch.ProducerID, error) {
	id, err := k.initProducerID(ctx)
	if err != nil {
		return recordbatch.NoProducerID, broker.WithReason(fmt.Errorf("new producer id: %w", err), reasonOf(err))
	}
	return id, nil
}

// Partitions returns how many partitions the topic has. kafka-go answers from its memory, which is a second old at
// most.
func (k *Producer) Partitions(ctx context.Context) (int, error) {
	resp, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{k.topic}})
	if err != nil {
		return 0, fmt.Errorf("metadata: %w", err)
	}
	for _, t := range resp.Topics {
		if t.Name != k.topic {
			continue
		}
		if t.Error != nil {
			return 0, fmt.Errorf("topic %s: %w (sluice topics apply makes it)", k.topic, t.Error)
		}
		return len(t.Partitions), nil
	}
	return 0, fmt.Errorf("topic %s: %w (sluice topics apply makes it)", k.topic, kafka.UnknownTopicOrPartition)
}

// Close closes idle connections. No method may be called afterwards.
func (k *Producer) Close() {
	k.refresh.close()
	k.transport.CloseIdleConnections()
}

// noLeader reports whether a broker told kafka-go that a partition has no leader or does not exist.
func noLeader(err error) bool {
	return errors.Is(err, protocol.ErrNoLeader) || errors.Is(err, protocol.ErrNoPartition) ||
		errors.Is(err, protocol.ErrNoTopic)
}

// staleLeader reports whether an error can come from asking a broker that does not lead the partition any more: the
// broker says so, or it is gone.
func staleLeader(err error) bool {
	if !errors.Is(err, broker.ErrAnswered) {
		return !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
	}
	return noLeader(err) || errors.Is(err, kafka.NotLeaderForPartition) || errors.Is(err, kafka.LeaderNotAvailable) ||
		errors.Is(err, kafka.UnknownTopicOrPartition) || errors.Is(err, kafka.KafkaStorageError) ||
		errors.Is(err, kafka.FencedLeaderEpoch)
}
