package gateway

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/initproducerid"
	"github.com/segmentio/kafka-go/protocol/metadata"
)

// newIDRequest is kafka-go's InitProducerId request without its routing. kafka-go takes every such request for a transaction's
// and first looks for the coordinator of the transaction "", which makes a cluster create its topic of transactions. Without
// a transaction any broker gives an id (KIP-98), and that is where kafka-go sends a request that does not say otherwise.
type newIDRequest initproducerid.Request

// ApiKey is part of protocol.Message.
func (*newIDRequest) ApiKey() protocol.ApiKey { return protocol.InitProducerId }

func (k *kafkaProducer) initProducerID(ctx context.Context) (ProducerID, error) {
	m, err := k.transport.RoundTrip(ctx, k.client.Addr, &newIDRequest{ProducerID: -1, ProducerEpoch: -1})
	if err != nil {
		return noProducer, fmt.Errorf("new producer id: %w", err)
	}
	resp, ok := m.(*initproducerid.Response)
	if !ok {
		return noProducer, fmt.Errorf("new producer id: answered with %T", m)
	}
	if resp.ErrorCode != 0 {
		return noProducer, fmt.Errorf("new producer id: %w: %w", ErrAnswered, kafka.Error(resp.ErrorCode))
	}
	return ProducerID{ID: resp.ProducerID, Epoch: resp.ProducerEpoch}, nil
}

// noTopic is not a legal name of a topic, so that no cluster makes it.
const noTopic = "sluice/no-topic"

// refreshLeaders makes kafka-go learn the partitions' leaders now. It does so by a timer only, about twice a second; the one
// thing that makes it ask at once is a question for a topic that it does not know and that might be created by being asked
// for. What comes of it is seen by the next attempt.
func (k *kafkaProducer) refreshLeaders(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	_, _ = k.transport.RoundTrip(ctx, k.client.Addr, &metadata.Request{TopicNames: []string{noTopic}, AllowAutoTopicCreation: true})
}
