package gateway

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"sluice/internal/kafkaconn"
)

// kafkaProducer is the Producer over kafka-go.
type kafkaProducer struct {
	client    *kafka.Client
	transport *kafka.Transport
	topic     string
}

func newKafkaProducer(conn kafkaconn.Config) (*kafkaProducer, error) {
	transport, err := conn.Transport("sluice-gateway")
	if err != nil {
		return nil, err
	}
	return &kafkaProducer{client: conn.Client(transport), transport: transport, topic: conn.Topic}, nil
}

// Produce writes one batch with acks=all.
func (k *kafkaProducer) Produce(ctx context.Context, partition int, records []Record) error {
	headers := 0
	for i := range records {
		headers += len(records[i].Headers)
	}
	arena := make([]kafka.Header, 0, headers)
	out := make([]kafka.Record, len(records))
	for i := range records {
		r := &records[i]
		from := len(arena)
		for _, h := range r.Headers {
			arena = append(arena, kafka.Header{Key: h.Key, Value: h.Value})
		}
		out[i] = kafka.Record{Value: kafka.NewBytes(r.Value), Headers: arena[from:len(arena):len(arena)]}
		if r.Key != nil {
			out[i].Key = kafka.NewBytes(r.Key)
		}
	}
	resp, err := k.client.Produce(ctx, &kafka.ProduceRequest{
		Topic:        k.topic,
		Partition:    partition,
		RequiredAcks: kafka.RequireAll,
		Records:      kafka.NewRecordReader(out...),
	})
	if err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	switch {
	case resp.Error == nil && len(resp.RecordErrors) == 0:
		return nil
	case errors.Is(resp.Error, kafka.MessageSizeTooLarge), errors.Is(resp.Error, kafka.RecordListTooLarge),
		errors.Is(resp.Error, kafka.InvalidRecord):
		return fmt.Errorf("produce: %w: %w", ErrRefused, resp.Error)
	case resp.Error != nil:
		return fmt.Errorf("produce: %w", resp.Error)
	default:
		return fmt.Errorf("produce: %w: %d records", ErrRefused, len(resp.RecordErrors))
	}
}

// Partitions asks the cluster how many partitions the topic has.
func (k *kafkaProducer) Partitions(ctx context.Context) (int, error) {
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

// Close closes idle connections.
func (k *kafkaProducer) Close() { k.transport.CloseIdleConnections() }
