package publish

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/recordbatch"
)

// lane sends one batch at a time to its own partitions. Records without a key go to partition p if p modulo every is
// the lane's index, however many partitions there are; of records with a key the lane has the partitions that laneOf
// says. It has a producer id of its own, and numbers the records that it sends to each partition.
type lane struct {
	pub   *Publisher
	index int
	every int
	round int    // the batches sent so far to any partition
	own   *queue // records whose key chose one of the lane's partitions

	encoder  *recordbatch.Encoder // nil before the first batch
	runs     [][]byte             // reused
	taken    []*chunk             // reused
	identity identity

	attempt attempt
	work    work
}

// work is a lane's work on one batch. When it takes too long, a successor takes over the rest of the lane's work, with
// an encoder and a producer id of its own, and the lane ends with its batch.
type work struct {
	timer *time.Timer

	mu        sync.Mutex
	working   bool
	began     time.Time // the batch at hand
	partition int       // the partition that a key chose; −1: any
	replaced  bool      // a successor has taken over
}

// attempt is the produce request that is under way, for those who watch it.
type attempt struct {
	since     atomic.Int64 // when it began, in ns since the publisher was made; 0: none is under way
	partition atomic.Int32
	cancel    atomic.Pointer[context.CancelFunc]
}

// newLane makes a lane of a publisher.
func (p *Publisher) newLane(index, every int, own *queue) *lane {
	l := &lane{pub: p, index: index, every: every, own: own, identity: newIdentity()}
	l.work.timer = time.AfterFunc(time.Hour, l.handOver)
	l.work.timer.Stop()
	return l
}

// run sends until ctx ends and nothing is left to send, or until a successor has taken over.
func (l *lane) run(ctx context.Context) {
	l.pub.join(l)
	defer l.pub.quit(l)
	for {
		ending := ctx.Err() != nil
		if l.taken = l.next(l.taken[:0], ending); len(l.taken) > 0 {
			shared, records := l.taken[0].partition < 0, 0
			for _, c := range l.taken {
				records += c.count
			}
			l.beginWork(l.taken[0].partition)
			l.send(l.taken)
			if shared {
				l.pub.shared.finished(records)
			}
			clear(l.taken)
			if l.endWork() {
				l.pub.keepIdentity(&l.identity)
				return
			}
			continue
		}
		if ending {
			return
		}
		var shared chan struct{}
		if l.takesShared() {
			shared = l.pub.shared.ready
		}
		select {
		case <-l.own.ready:
		case <-shared:
		case <-ctx.Done():
		}
	}
}

// takesShared reports whether the lane takes records without a key: it is one of the first lanes, and has a partition
// to send them to. The first lane always takes them, because some lane must end them at their deadline while the
// partitions are not known.
func (l *lane) takesShared() bool {
	return l.index == 0 || l.index < lanes && l.hasPartition()
}

// hasPartition reports whether laneOf gives the lane any of the topic's partitions.
func (l *lane) hasPartition() bool {
	return l.index/lanes*laneBlock+l.index%lanes < int(l.pub.partitions.Load())
}

// next appends the chunks of the next batch to into, if there is one.
func (l *lane) next(into []*chunk, all bool) []*chunk {
	if into = l.own.take(into, all); len(into) == 0 && l.takesShared() {
		return l.pub.shared.take(into, all)
	}
	return into
}

// encode makes one batch of chunks, and returns its size in bytes.
func (l *lane) encode(chunks []*chunk) (size int) {
	if l.encoder == nil {
		l.encoder, _ = recordbatch.NewEncoder(l.pub.cfg.Compression) // New has tried it
	}
	l.runs = l.runs[:0]
	for _, c := range chunks {
		l.runs = append(l.runs, c.records)
	}
	size = l.encoder.Encode(l.runs, time.Now())
	clear(l.runs)
	return size
}

// choosePartition returns the partition for a batch that may go to any. The lane goes round its own partitions, a batch
// each, and skips those that are to be avoided. When all of them are, it goes round all partitions of the topic. When
// all of those are, it takes one whose leader answers late. Any lane may send to any partition under its own producer
// id; the lanes own partitions only so that the batches of a key keep their order.
func (l *lane) choosePartition(partitions int) int {
	owned := max(1, (partitions-l.index+l.every-1)/l.every)
	mine := func(i int) int { return (l.index + i%owned*l.every) % partitions }
	first := mine(l.round)
	l.round++
	if !l.pub.leaders.any.Load() {
		return first
	}
	now := time.Now()
	own := func(i int) int { return mine(l.round - 1 + i) }
	if i, ok := l.pub.leaders.choose(owned, own, now); ok {
		p := own(i)
		l.round += i
		return p
	}
	every := func(i int) int { return (l.round + i) % partitions }
	if i, ok := l.pub.leaders.choose(partitions, every, now); ok {
		return every(i)
	}
	if i, ok := l.pub.leaders.chooseLate(partitions, every, now); ok {
		return every(i)
	}
	return first
}
