package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/google/uuid"
)

const (
	// drainBudget is how long an insert under way may take to finish after the partition was taken from us, or the program told
	// to stop. It is shorter than the group's session, so that the commit after it still counts.
	drainBudget = 10 * time.Second
	// advanceAge is how long a range may be in before the committed offset says so; a new range's commit says it earlier.
	advanceAge = time.Second
	// inserters is how many ranges of a partition are inserted at a time: while one is, the next is built and recorded, and one bad
	// range does not hold up what lies behind it.
	inserters = 2
)

// partition carries one partition's records into ClickHouse, for one generation of the group.
//
//	        ┌─────────────── what an earlier owner had recorded comes first
//	        ▼
//	fetch ─▶ seal ─▶ record ─▶ insert ─▶ advance
//	partition_fetch  partition_record  partition_insert  partition_record
//
// Records are gathered until a batch is sealed: by rows, by bytes or by age. The range is recorded with an offset commit, and only
// what is recorded is inserted; when the oldest range is in, the committed offset moves past it. Whoever takes over reads what
// is recorded, cuts the same blocks and inserts those that are not in.
//
// Three kinds of goroutine share it: one fetches, one keeps the ranges and commits, and some insert.
type partition struct {
	id       int
	member   kafka.Member
	flushAge time.Duration
	phase    time.Duration // when in each flush age batches are sealed

	cfg      Config
	kafka    source
	ledger   offsets
	graves   deadLetters
	table    table
	sure     bool // the table is replicated, see settlement
	claim    *claim
	accepted *atomic.Uint64 // blocks that ClickHouse took from anybody in this process
	size     *batchSize     // how large it lets them be
	metrics  *metrics
	log      *slog.Logger
	topic    string

	// Of the goroutine that fetches.
	offset      int64 // offset of the next record to fetch
	first       int64 // of the next range
	replay      []delivery.Range
	current     *batch
	behind      bool // there was more on the topic than the last fetch brought
	behindSince time.Time
	overdue     bool // the batch is the end of a backlog
	turn        turn
	starved     time.Time // since when there is no memory to go on; zero: there was
	proc        *processor
	handled     int64 // the highest offset that an earlier owner is known to have dealt with, -1 for none
	logStart    int64 // the oldest offset on the topic, as far as it is known
	cut         bool  // the topic ends before what is replayed
	asked       bool  // bounds were asked for because of what this fetch brings
	dispute     dispute
	term        int32     // of the leader that appended what ends at the offset
	nextTerm    int32     // of what comes there
	origin      uuid.UUID // of what was read; zero: not known
	sameOrigin  bool      // the topic is known to be the one that the recorded ranges are of
	suspect     bool      // a fetch failed: the topic may have been made anew
	transaction transactionWatch

	// Of the goroutine that keeps the ranges.
	ranges  *delivery.Ranges
	unsaved time.Time // when what happened has to be committed, if anything did
	tallies []tally   // of ranges that are in and that the head has not passed

	free   chan *batch // empty ones
	sealed chan *batch // fetch to keep
	work   chan *batch // keep to insert
	done   chan *batch // insert to keep
	asks   chan ask    // insert to keep
	lose   func()      // the partition is not ours any more

	head          atomic.Int64 // the committed offset
	highWatermark atomic.Int64
	stable        atomic.Int64 // the high watermark, or where a transaction begins that is open; nothing behind it can be read
	saved         atomic.Int64 // when the broker last took us for the owner, in Unix nanoseconds
	watch         watch
	lag           *lag
}

// source is what a partition reads from.
//
// The implementer owes: the records of an answer come in the order of offsets, none below the one asked for, and none that an aborted
// transaction wrote; see Answer and record. Bounds asks the partition's leader, as it was known at most a second ago. All methods
// return when ctx ends.
type source interface {
	Fetch(ctx context.Context, partition int, offset int64, wait time.Duration) (*kafka.Answer, error)
	Bounds(ctx context.Context, partition int) (first, end int64, err error)
	Lineage(ctx context.Context, partition int, term int32) (kafka.Lineage, error)
}

// offsets keeps how far a partition has come.
//
// The implementer owes: Commit returns nil only if the broker has stored the offset with its metadata, and ErrNotOwner if the
// partition is another member's; after any other error the commit may be stored, now or later. Committed sees all commits that were
// stored before it.
type offsets interface {
	Committed(ctx context.Context, partition int) (offset int64, metadata string, err error)
	Commit(ctx context.Context, m kafka.Member, partition int, offset int64, metadata string) error
}

// deadLetters takes dead letters.
//
// The implementer owes: Write returns nil only if all letters are durable; after an error some may be.
type deadLetters interface {
	Write(ctx context.Context, partition int, letters []kafka.DeadLetter) error
}

// run works until ctx ends, which it does when the generation is over, even if the partition is lost before. It returns after the
// inserts under way are done with, or abandoned after the drain budget, and what is recorded is committed.
func (p *partition) run(ctx context.Context) {
	defer p.observeKafka()()
	life, end := context.WithCancel(ctx)
	defer end()
	// Work under way outlives its partition by the drain budget, unless somebody else has it already.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(life, func() { time.AfterFunc(drainBudget, cancel) })
	defer stop()
	p.lose = func() { cancel(); end() }

	p.free, p.sealed = make(chan *batch, delivery.MaxRanges), make(chan *batch)
	p.work, p.done, p.asks = make(chan *batch, delivery.MaxRanges), make(chan *batch, delivery.MaxRanges), make(chan ask)
	for range cap(p.free) {
		p.free <- newBatch()
	}
	if p.begin(life) {
		var loops errgroup.Group
		loops.Go(func() error { p.fetchLoop(life); return nil })
		loops.Go(func() error { p.keep(life, work); return nil })
		for i := range inserters {
			loops.Go(func() error { p.insertLoop(life, work, i); return nil })
		}
		_ = loops.Wait() // the loops have no errors: they retry until they are stopped
	}
	p.watch.rest()
	// A partition that was lost keeps its place until the generation ends.
	<-ctx.Done()
}

// begin finds where to start: at the committed offset, with what is recorded behind it, or at the oldest record if nothing was
// ever committed. What the table has from there on is looked up, because metadata can be lost, foreign or old. And whether there is
// more on the topic: if all partitions of a backlog took something in to find that out, it would be half of the memory, held by those
// who wait for a turn.
func (p *partition) begin(ctx context.Context) bool {
	start, ok := p.start(ctx)
	if !ok {
		return false
	}
	p.saved.Store(time.Now().UnixNano())
	spans, of, ok := delivery.DecodeAll(start.head, start.metadata)
	if !ok {
		p.log.Warn("the committed offset has metadata that is not ours to read: what follows is compared with the table first", "partition", p.id, "offset", start.head)
	}
	seen, err := p.seen(ctx, loopFetch, start.head)
	if err != nil {
		return false
	}
	p.ranges = delivery.NewRanges(start.head, spans, seen)
	p.ranges.Origin = of
	if p.ranges.Lost = start.lost; start.lost > 0 {
		p.unsaved = time.Now()
	}
	p.replay, p.handled = spans, seen
	p.term, p.origin, p.suspect = of.Term, of.Topic, true
	p.offset, p.first = start.head, start.head
	p.lag.owns(start.head) // also where nothing was ever committed
	p.head.Store(start.head)
	p.highWatermark.Store(start.end)
	p.stable.Store(start.end)
	p.keepUp(start.head < start.end)
	if len(spans) > 0 {
		p.log.Info("partition has recorded ranges to look after", "partition", p.id, "from", start.head, "to", p.ranges.End()-1, "ranges", len(spans))
	}
	return true
}

// seen is the highest offset from one on that the table has.
func (p *partition) seen(ctx context.Context, loop loop, from int64) (offset int64, err error) {
	err = p.until(ctx, loop, func() error {
		offset, err = p.table.Highest(ctx, p.topic, p.id, from)
		return err
	})
	return offset, err
}

// errStopped ends a fetch because the partition stops.
var errStopped = errors.New("the partition stops")
