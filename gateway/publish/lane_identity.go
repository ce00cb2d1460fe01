package publish

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"sluice/gateway/broker"
	"sluice/internal/recordbatch"
)

const (
	// idPatience is how long Kafka may refuse to give a lane a producer id before the lane sends without one: a broker that
	// has just started refuses for a moment, one that does not permit ids refuses for ever.
	idPatience = time.Second
	// idAgain is how long a lane sends without an id before it asks again.
	idAgain = time.Minute
)

// identity is a lane's producer id and, for each of its partitions, the sequence of the next record (KIP-98): a broker takes
// from a producer only the batch whose sequence comes next, and answers one that it already has as if it had just written it.
type identity struct {
	id   recordbatch.ProducerID
	next map[int]int32
	// without: the lane goes without an id until then. refused: since when Kafka has refused to give one.
	without, refused time.Time
}

func newIdentity() identity { return identity{id: recordbatch.NoProducerID, next: map[int]int32{}} }

// sequence is the one for the next n records to a partition, −1 without an id. It is not ok when an id should be asked for
// first. Sequences may wrap around, but an id is cheap and one is enough for 2^31 records a partition, so that the lane takes a
// new one instead.
func (i *identity) sequence(partition int, n int32) (sequence int32, ok bool) {
	if !i.id.Valid() {
		return -1, time.Now().Before(i.without)
	}
	next := i.next[partition]
	return next, next < math.MaxInt32-n
}

// advance counts n records that Kafka has.
func (i *identity) advance(partition int, n int32) {
	if i.id.Valid() {
		i.next[partition] += n
	}
}

// abandon gives the id up, and its sequences with it.
func (i *identity) abandon() { i.begin(recordbatch.NoProducerID) }

func (i *identity) begin(id recordbatch.ProducerID) {
	i.id = id
	clear(i.next)
}

// identify gets the lane a new producer id, or the decision to go without one for a while. An error: neither.
func (l *lane) identify(ctx context.Context) error {
	l.identity.abandon()
	id, err := l.pub.producer.NewID(ctx)
	if err == nil {
		l.identity.begin(id)
		l.identity.refused = time.Time{}
		if l.pub.withoutID.Swap(false) {
			l.pub.log.Info("kafka gives producer ids")
		}
		return nil
	}
	if !errors.Is(err, broker.ErrAnswered) {
		return fmt.Errorf("producer id: %w", err)
	}
	now := time.Now()
	if l.identity.refused.IsZero() {
		l.identity.refused = now
	}
	if now.Sub(l.identity.refused) < idPatience {
		return fmt.Errorf("producer id: %w", err)
	}
	l.identity.without = now.Add(idAgain)
	if !l.pub.withoutID.Swap(true) {
		l.pub.log.Warn("kafka gives no producer id; a batch that must be sent again may be on the topic twice", "err", err, "retry", idAgain)
	}
	return nil
}
