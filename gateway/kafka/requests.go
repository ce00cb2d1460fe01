package kafka

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/initproducerid"
	"github.com/segmentio/kafka-go/protocol/metadata"

	"sluice/gateway/broker"
	"sluice/internal/recordbatch"
)

// newIDRequest is kafka-go's InitProducerId request without its routing. kafka-go takes every such request for a
// transaction's: it first looks for the coordinator of the transaction "", which makes a cluster create its topic of
// transactions. Without a transaction any broker gives an id (KIP-98), and kafka-go sends a request to any broker
// unless the request says otherwise.
//
// Its first fields are those of kafka-go's request, because kafka-go goes by their order. A broker that does not answer
// is not asked.
type newIDRequest struct {
	_ struct{} `kafka:"min=v2,max=v4,tag"`

	TransactionalID      string `kafka:"min=v0,max=v4,nullable"`
	TransactionTimeoutMs int32  `kafka:"min=v0,max=v4"`
	ProducerID           int64  `kafka:"min=v3,max=v4"`
	ProducerEpoch        int16  `kafka:"min=v3,max=v4"`

	avoid []int32
}

// ApiKey is part of protocol.Message.
func (*newIDRequest) ApiKey() protocol.ApiKey { return protocol.InitProducerId }

// Broker is part of protocol.BrokerMessage. It returns a broker that is not avoided, or any broker if there is none.
func (r *newIDRequest) Broker(c protocol.Cluster) (protocol.Broker, error) {
	if len(r.avoid) > 0 {
		for id, b := range c.Brokers { // in no order
			if !slices.Contains(r.avoid, id) {
				return b, nil
			}
		}
	}
	return protocol.Broker{ID: -1}, nil
}

func (k *Producer) initProducerID(ctx context.Context) (recordbatch.ProducerID, error) {
	var avoid []int32
	if brokers := k.avoid.Load(); brokers != nil {
		avoid = *brokers
	}
	m, err := k.transport.RoundTrip(ctx, k.client.Addr, &newIDRequest{ProducerID: -1, ProducerEpoch: -1, avoid: avoid})
	if err != nil {
		return recordbatch.NoProducerID, err
	}
	resp, ok := m.(*initproducerid.Response)
	if !ok {
		return recordbatch.NoProducerID, fmt.Errorf("answered with %T", m)
	}
	if resp.ErrorCode != 0 {
		return recordbatch.NoProducerID, fmt.Errorf("%w: %w", broker.ErrAnswered, kafka.Error(resp.ErrorCode))
	}
	return recordbatch.ProducerID{ID: resp.ProducerID, Epoch: resp.ProducerEpoch}, nil
}

// noTopic is no legal name of a topic, so no cluster creates it.
const noTopic = "sluice/no-topic"

// refreshTimeout bounds a refresh, and so what it adds to a failed attempt.
const refreshTimeout = 500 * time.Millisecond

// refreshLeaders makes kafka-go look up the partitions' leaders now. kafka-go does so by a timer, about twice a second.
// Only a question for a topic that it does not know, and that the question might create, makes it ask at once. The next
// attempt uses the result.
func (k *Producer) refreshLeaders(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	ask := &metadata.Request{TopicNames: []string{noTopic}, AllowAutoTopicCreation: true}
	_, _ = k.transport.RoundTrip(ctx, k.client.Addr, ask)
}

// refresh is a refresh of the leaders in the background, one at a time.
type refresh struct {
	mu     sync.Mutex
	asking bool
	closed bool
	all    sync.WaitGroup
}

// refreshSoon starts refreshLeaders in the background: a lane whose batch was not written sends it to another partition
// at once.
func (k *Producer) refreshSoon() {
	r := &k.refresh
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asking || r.closed {
		return
	}
	r.asking = true
	r.all.Go(func() {
		k.refreshLeaders(context.Background())
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asking = false
	})
}

// close waits for the refresh that is under way.
func (r *refresh) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.all.Wait()
}
