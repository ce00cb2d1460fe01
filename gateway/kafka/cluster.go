package kafka

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"sluice/gateway/broker"
)

// Replicas returns the brokers of each partition, as kafka-go knows them. It makes kafka-go look them up, and waits for
// that for refreshTimeout at most.
func (k *Producer) Replicas(ctx context.Context) ([]broker.Replicas, error) {
	k.refreshLeaders(ctx)
	resp, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{k.topic}})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	for _, t := range resp.Topics {
		if t.Name != k.topic || t.Error != nil {
			continue
		}
		of := make([]broker.Replicas, len(t.Partitions))
		for i := range of {
			of[i].Leader = -1
		}
		for _, p := range t.Partitions {
			if p.ID < 0 || p.ID >= len(of) {
				continue
			}
			r := &of[p.ID]
			if p.Leader.Host != "" { // kafka-go leaves it empty if there is no leader
				r.Leader = int32(p.Leader.ID)
			}
			for _, b := range p.Isr {
				id := int32(-1) // a replica whose broker is not known
				if b.Host != "" {
					id = int32(b.ID)
				}
				r.InSync = append(r.InSync, id)
			}
		}
		return of, nil
	}
	return nil, broker.ErrNoPartitions
}

// probeRequest is kafka-go's ApiVersions request, sent to one broker. It is the smallest request, and a broker answers
// it alone.
type probeRequest struct {
	_  struct{} `kafka:"min=v0,max=v2"`
	to int32
}

// ApiKey is part of protocol.Message.
func (*probeRequest) ApiKey() protocol.ApiKey { return protocol.ApiVersions }

// Broker is part of protocol.BrokerMessage.
func (r *probeRequest) Broker(c protocol.Cluster) (protocol.Broker, error) {
	b, ok := c.Brokers[r.to]
	if !ok {
		return protocol.Broker{}, kafka.BrokerNotAvailable
	}
	return b, nil
}

// Probe asks one broker for a sign of life.
func (k *Producer) Probe(ctx context.Context, id int32) error {
	_, err := k.transport.RoundTrip(ctx, k.client.Addr, &probeRequest{to: id})
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return nil
}

// Avoid names the brokers that do not answer. NewID asks others.
func (k *Producer) Avoid(brokers []int32) { k.avoid.Store(&brokers) }
