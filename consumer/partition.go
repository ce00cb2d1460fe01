package consumer

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"sluice/consumer/alive"
	"sluice/consumer/budget"
	"sluice/consumer/counts"
	"sluice/consumer/kafka"
	"sluice/consumer/lag"
	"sluice/consumer/observed"
	"sluice/consumer/rows"
	"sluice/consumer/shared"
	"sluice/internal/tracing"
)

const (
	// drainBudget is how long an insert under way may take to finish after the partition was taken from us, or the
	// process was told to stop. It is shorter than the group's session, so that the commit after it still counts.
	drainBudget = 10 * time.Second
	// advanceAge is the longest time between an insert and the commit that moves the committed offset past it.
	advanceAge = time.Second
	// sharedAdvanceAge is advanceAge for a partition that shares blocks. Its next block is recorded before that if it has
	// an event every three seconds, and that commit moves the committed offset as well. Kafka would have twice as many
	// commits, each of a whole unit.
	sharedAdvanceAge = 3 * time.Second
)

// deadLetters takes dead letters.
//
// The implementer owes: Write returns nil only if all letters are durable; after an error some may be.
type deadLetters interface {
	Write(ctx context.Context, partition int, letters []kafka.DeadLetter) error
}

// table is where rows go.
//
// The implementer owes: Insert sends one block under one token, and returns nil only if all of its rows are in the
// table, or were under that token before. After ErrNotSent nothing was sent; after an error without ClickHouse's code
// anything may have happened. Missing, Highest and Held see what was in the table when they were called. All methods
// are safe for concurrent use and keep no block.
type table interface {
	Insert(ctx context.Context, token string, blocks ...*rows.Block) error
	// Missing lists the rows of b, ascending, that the table does not have: not with that offset and that event.
	Missing(ctx context.Context, topic string, partition int, b *rows.Block) ([]int32, error)
	// Highest is the highest offset from one on that the table has of a partition, -1 for none.
	Highest(ctx context.Context, topic string, partition int, from int64) (int64, error)
	// Held is how many offsets from one to another, both included, have a row.
	Held(ctx context.Context, topic string, partition int, from, to int64) (int64, error)
	// Erased lists the rows of b, ascending, that Insert holds back and Missing leaves out: see package erased.
	Erased(b *rows.Block) []int32
}

// closingTable is a table with connections to close.
type closingTable interface {
	table
	counts.Table
	Close()
}

// partition carries the records of one partition into ClickHouse, for one generation of the group.
//
//	        ┌─────────────── what an earlier owner had recorded comes first
//	        ▼
//	fetch ─▶ seal ─▶ record ─▶ insert ─▶ advance
//	└─ fetcher ──┘  recorder   insertion  recorder
//
// The fetcher gathers records until a batch is sealed: by rows, by bytes or by age. The recorder records the batch's
// range with an offset commit. At most two goroutines insert recorded batches, each with an insertion. When the oldest
// range is in, the recorder moves the committed offset past it. Whoever takes the partition over reads the recorded
// ranges, cuts the same blocks and inserts those that are not in.
//
// The struct holds what these four goroutines share: settings, doors to the outside, the channels between them, and
// figures that liveness and metrics read.
type partition struct {
	id       int
	topic    string
	member   kafka.Member
	cfg      Config
	flushAge time.Duration
	phase    time.Duration // when in each flush age batches are sealed

	kafka        observed.Source
	offsets      observed.Offsets
	deadLetters  deadLetters
	table        table
	outcomes     counts.Writer
	tokenDurable bool // the table is replicated, see delivery.Block

	shares
	metrics *metrics
	lag     *lag.Lag
	log     *slog.Logger

	patience
	channels
	progress progress
	watch    alive.Watch
}

// patience bounds what a partition waits for.
type patience struct {
	maxPause   time.Duration // between two attempts at something that fails
	drain      time.Duration // see drainBudget
	unrecorded time.Duration // see unrecordedAge
}

// shares is what a partition has in common with the other partitions of the process.
type shares struct {
	claim    *budget.Claim   // memory
	turn     budget.Turn     // of those that work off a backlog
	size     *budget.Size    // how large ClickHouse lets batches be
	accepted *atomic.Uint64  // blocks that ClickHouse took
	tracer   *tracing.Tracer // nil: nothing is traced
	outages  outages
	blocks   *shared.Blocks // that partitions of the process share
	seat     *shared.Seat   // nil: the partition shares no new blocks
}

// progress is how far a partition has come. All of it may be read at any time.
type progress struct {
	committed     atomic.Int64 // the committed offset
	highWatermark atomic.Int64
	lastStable    atomic.Int64 // the high watermark, or the start of an open transaction
	owned         atomic.Int64 // when the broker last took us for the owner, in Unix nanoseconds
	assigned      time.Time    // when the partition was; set before any loop runs
}

// readable is how many offsets behind the committed one can be read.
func (p *progress) readable() int64 {
	return min(p.highWatermark.Load(), p.lastStable.Load()) - p.committed.Load()
}

// discard takes a batch out of budget and gauge, and empties it.
func (p *partition) discard(b *batch) {
	p.claim.Add(-b.claimed)
	if b.sealed {
		p.claim.Seal(-1)
	}
	p.blocks.Leave(b.Shared, p.id)
	p.metrics.buffered.Sub(float64(b.gauged))
	if b.rows != nil {
		p.claim.Give(b.rows)
	}
	b.reset()
}
