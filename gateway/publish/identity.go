package publish

import (
	"math"
	"time"

	"sluice/internal/recordbatch"
)

const (
	// idPatience is how long Kafka may refuse to give a lane a producer id before the lane sends without one. A broker
	// that has just started refuses for a moment; a broker that does not permit ids refuses for ever.
	idPatience = time.Second
	// idAgain is how long a lane sends without an id before it asks again.
	idAgain = time.Minute
)

// identity is a lane's producer id and the sequence of the next record for each partition (KIP-98). A broker takes from
// a producer only the batch whose sequence comes next. It acknowledges a batch that it already has as if it had just
// written it.
type identity struct {
	id           recordbatch.ProducerID
	next         map[int]int32
	withoutUntil time.Time // until when the lane sends without an id
	refusedSince time.Time // since when Kafka has refused to give one; zero: it has not
}

func newIdentity() identity { return identity{id: recordbatch.NoProducerID, next: map[int]int32{}} }

// sequence returns the sequence for the next n records to a partition, −1 without an id. It is not ok when the lane
// must first ask for an id. One id is enough for 2^31 records a partition. Sequences may wrap around then, but an id is
// cheap, so the lane takes another.
func (i *identity) sequence(partition int, n int32) (sequence int32, ok bool) {
	if !i.id.Valid() {
		return -1, time.Now().Before(i.withoutUntil)
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

// abandon gives up the id and its sequences.
func (i *identity) abandon() { i.begin(recordbatch.NoProducerID) }

func (i *identity) begin(id recordbatch.ProducerID) {
	i.id = id
	clear(i.next)
}
