package publish

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sluice/gateway/spool"
	"sluice/internal/recordbatch"
)

const (
	// replayBytes bounds a batch of replay. It is a quarter of the largest, so that live batches are not held up for long by one.
	replayBytes = maxBatchBytes / 4
	// replayYield is how long replay lets waiting requests go first, at most: it is never starved.
	replayYield = 200 * time.Millisecond
	replayPoll  = 5 * time.Millisecond
	// replayRetry is how long replay waits after the spool could not be read or cleaned up.
	replayRetry = time.Second
)

// replay sends what waits in the spool, in order, with a lane and a producer id of its own.
//
//	take ─▶ one batch a partition ─▶ Kafka acknowledges all ─▶ done ─▶ a pause as long as that took
//	          ▲                │                                ▲
//	          ├── for ever ◀───┤ not taken                      │ kept in files of their own, and tried again later
//	          └── a pause ◀────┴ refused: all of it ── some of it
//
// Its one batch under way, the pause and the precedence of waiting requests keep it slower than live traffic; at the least it
// sends one batch in replayYield and twice the time that Kafka takes. While Kafka is away its attempts find out that it is back,
// also when no requests come.
type replay struct {
	pub    *Publisher
	spool  *spool.Spool
	lane   *lane
	log    *slog.Logger
	sent   int64         // events since the spool was last empty
	took   time.Duration // Kafka, for what the step sent
	mended chan struct{} // holds a token when the topic's settings have changed

	refusing refusing
}

func newReplay(p *Publisher, s *spool.Spool) (*replay, error) {
	own, err := p.newLane(0, 1, newQueue())
	if err != nil {
		return nil, err
	}
	return &replay{pub: p, spool: s, log: p.log, mended: make(chan struct{}, 1), lane: own}, nil
}

// run sends until ctx ends. What it has not sent by then stays in the spool.
func (r *replay) run(ctx context.Context) {
	again := time.NewTicker(r.pub.cfg.RetryRefused)
	defer again.Stop()
	if r.spool.Stats().Refused > 0 && r.placed(ctx) {
		r.tryRefused(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.spool.Ready():
			for r.step(ctx) {
			}
		case <-r.mended:
			r.tryRefused(ctx)
		case <-again.C:
			r.tryRefused(ctx)
		}
	}
}

// step sends what is next, and says whether there may be more.
func (r *replay) step(ctx context.Context) bool {
	if !r.placed(ctx) || !r.yield(ctx) {
		return false
	}
	r.took = 0
	entries, err := r.next()
	if err != nil {
		if !errors.Is(err, spool.ErrGone) { // that is said already
			r.log.Error("spool cannot be read", "err", err, "retry", replayRetry)
		}
		return pause(ctx, replayRetry)
	}
	if len(entries) == 0 {
		r.emptied()
		return false
	}
	entries, fate := r.forwardWith(ctx, entries)
	switch {
	case fate == stopped:
		return false
	case fate == turnedDown:
		return r.hold(ctx, entries)
	case !r.keepSuspects(ctx):
		return false
	}
	r.refusing.held = nil
	for _, e := range entries {
		r.sent += int64(e.Count)
	}
	if err = r.spool.Done(); err != nil {
		r.log.Error("spool cannot be cleaned up", "err", err, "retry", replayRetry)
		return pause(ctx, replayRetry) // take tries it again
	}
	return pause(ctx, r.took)
}

// next is what the last step had to hold, or what the spool has next.
func (r *replay) next() ([]spool.Entry, error) {
	if r.refusing.held != nil {
		return r.refusing.held, nil
	}
	r.refusing.since = time.Now()
	return r.spool.Take(min(replayBytes, r.pub.memory.batch.bytes()), maxBatchRecords)
}

// emptied says once that all has been sent, but for what Kafka refuses.
func (r *replay) emptied() {
	if r.sent == 0 {
		return
	}
	if refused := r.spool.Stats().Refused; refused > 0 {
		r.log.Warn("spool is sent, but for what kafka refuses", "events", r.sent, "refused", refused)
	} else {
		r.log.Info("spool is empty", "events", r.sent)
	}
	r.sent = 0
}

// placed waits until the topic's partitions are known: keys have no place before.
func (r *replay) placed(ctx context.Context) bool {
	for r.pub.partitions.Load() == 0 {
		if !pause(ctx, outageProbe) {
			return false
		}
	}
	return true
}

// yield lets requests go first that wait to be sent.
func (r *replay) yield(ctx context.Context) bool {
	for until := time.Now().Add(replayYield); r.pub.busy() && time.Now().Before(until); {
		if !pause(ctx, replayPoll) {
			return false
		}
	}
	return ctx.Err() == nil
}

// busy says whether requests wait to be sent.
func (p *Publisher) busy() bool {
	for _, l := range p.lanes {
		if !l.own.empty() {
			return true
		}
	}
	return !p.shared.empty()
}

// batches makes a batch for each partition of the entries, in order. Those for any partition are one batch too.
func (r *replay) batches(entries []spool.Entry) []*sending {
	var batches []*sending
	of := map[int]*sending{}
	for _, e := range entries {
		for _, c := range r.pieces(e) {
			s := of[c.partition]
			if s == nil {
				s = &sending{any: c.partition < 0, partition: c.partition}
				of[c.partition] = s
				batches = append(batches, s)
			}
			s.chunks = append(s.chunks, c)
		}
	}
	return batches
}

// pieces are an entry's records, cut where the partition changes. An entry knows its partition, unless it was kept before
// anybody knew how many there are: then its keys decide now.
func (r *replay) pieces(e spool.Entry) []*chunk {
	n := int(r.pub.partitions.Load())
	if e.Partition >= 0 {
		return []*chunk{r.chunk(e.Records, e.Count, e.Partition%n, e.AcceptedAt)}
	}
	var pieces []*chunk
	for rest := e.Records; len(rest) > 0; {
		partition, at, count := r.pub.PartitionOf(recordbatch.Key(rest)), 0, 0
		for ; at < len(rest) && r.pub.PartitionOf(recordbatch.Key(rest[at:])) == partition; count++ {
			at += recordbatch.Skip(rest[at:], 1)
		}
		pieces = append(pieces, r.chunk(rest[:at], count, partition, e.AcceptedAt))
		rest = rest[at:]
	}
	return pieces
}

// chunk is one that nobody waits for and whose memory is not the pool's: it keeps a holder for ever.
func (r *replay) chunk(records []byte, count, partition int, accepted time.Time) *chunk {
	c := &chunk{records: records, count: count, partition: partition, done: make(chan struct{}, 1), accepted: accepted}
	c.deadline = time.Now().Add(100 * 365 * 24 * time.Hour)
	c.holders.Store(2)
	r.pub.inflight.Add(int64(c.size()))
	return c
}
