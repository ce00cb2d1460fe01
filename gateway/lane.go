package gateway

import (
	"context"
)

// lane sends one batch at a time, to its own partitions: p is the lane's when p modulo lanes is its index, however many
// partitions there are. It has a producer id of its own, and numbers what it sends to each partition.
type lane struct {
	pub   *publisher
	index int
	turn  int
	own   *queue // records whose key chose one of the lane's partitions

	encoder  encoder
	identity identity
	runs     [][]Record // reused
}

// run sends until ctx ends and there is nothing left to send.
func (l *lane) run(ctx context.Context) {
	for {
		if chunks := l.next(); len(chunks) > 0 {
			l.send(chunks)
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

func (l *lane) next() []*chunk {
	if chunks := l.own.take(); len(chunks) > 0 {
		return chunks
	}
	if l.shares() {
		return l.pub.shared.take()
	}
	return nil
}
