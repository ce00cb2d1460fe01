package gateway

import (
	"context"
)

// lane sends one batch at a time, to its own partitions: p is the lane's when p modulo lanes is its index, however many
// partitions there are. It has a producer id of its own, and numbers what it sends to each partition.
type lane struct {
	pub   *publisher
	index int
	every int // of the partitions, one in how many is its own
	turn  int
	own   *queue // records whose key chose one of the lane's partitions

	encoder  encoder
	identity identity
	taken    []*chunk // reused
}

// run sends until ctx ends and there is nothing left to send.
func (l *lane) run(ctx context.Context) {
	for {
		if l.taken = l.next(l.taken[:0]); len(l.taken) > 0 {
			l.send(l.taken)
			clear(l.taken)
			continue
		}
		if ctx.Err() != nil {
			return
		}
		var shared chan struct{}
		if l.shares() {
			shared = l.pub.shared.wake
		}
		select {
		case <-l.own.wake:
		case <-shared:
		case <-ctx.Done():
		}
	}
}

// shares says whether the lane has a partition to send records without a key to. The first lane always takes them: somebody
// must end them at their deadline while the partitions are not known.
func (l *lane) shares() bool {
	return l.index == 0 || l.index < int(l.pub.partitions.Load())
}

// next takes a batch, if there is one, into memory that it is given.
func (l *lane) next(into []*chunk) []*chunk {
	if into = l.own.take(into); len(into) == 0 && l.shares() {
		return l.pub.shared.take(into)
	}
	return into
}
