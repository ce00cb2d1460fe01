package publish

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sluice/gateway/spool"
	"sluice/internal/backoff"
	"sluice/internal/recordbatch"
)

const (
	// replayBytes bounds a batch of replay. It is a quarter of the largest, so that no batch of replay holds live
	// batches up for long.
	replayBytes = maxBatchBytes / 4
	// replayYield is how long replay lets waiting requests go first, so that it is never starved.
	replayYield = 200 * time.Millisecond
	replayPoll  = 5 * time.Millisecond
	// replayRetry is how long replay waits after the spool could not be read or cleaned up.
	replayRetry = time.Second
)

// replay sends the spool's entries to Kafka, in order, with a lane and a producer id of its own.
//
//	Take ─▶ one batch a partition ─▶ Kafka acknowledges all ─▶ Done ─▶ a pause as long as that took
//	          ▲                │                                ▲
//	          ├── try again ◀──┤ not taken                      │ quarantined, and sent again later
//	          └── a pause ◀────┴ refused: all entries ── some entries
//
// One batch at a time, the pause and the precedence of waiting requests keep replay slower than live traffic. It sends
// at least one batch in replayYield and twice the time that Kafka takes. While Kafka is away replay's attempts find out
// that it is back, also when no requests come.
type replay struct {
	pub          *Publisher
	spool        *spool.Spool
	lane         *lane
	log          *slog.Logger
	sent         int64         // events since the spool was last empty
	took         time.Duration // Kafka's time for the current step
	topicChanged chan struct{} // holds a token when the topic's settings have changed

	refusals refusals
}

func newReplay(p *Publisher, s *spool.Spool) *replay {
	own := p.newLane(0, 1, newQueue())
	return &replay{pub: p, spool: s, log: p.log, topicChanged: make(chan struct{}, 1), lane: own}
}

// run sends until ctx ends. Entries that were not sent stay in the spool.
func (r *replay) run(ctx context.Context) {
	again := time.NewTicker(r.pub.cfg.RetryRefused)
	defer again.Stop()
	if r.spool.Stats().Refused > 0 && r.waitForPartitions(ctx) {
		r.sendQuarantined(ctx)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.spool.Ready():
			for r.step(ctx) {
			}
		case <-r.topicChanged:
			r.sendQuarantined(ctx)
		case <-again.C:
			r.sendQuarantined(ctx)
		}
	}
}

// step sends the next entries, and reports whether there may be more.
func (r *replay) step(ctx context.Context) bool {
	if !r.waitForPartitions(ctx) || !r.yieldToRequests(ctx) {
		return false
	}
	r.took = 0
	entries, err := r.next()
	if err != nil {
		if !errors.Is(err, spool.ErrGone) { // the spool has logged ErrGone
			r.log.Error("spool cannot be read", "err", err, "retry", replayRetry)
		}
		return backoff.Sleep(ctx, replayRetry)
	}
	if len(entries) == 0 {
		r.logEmpty()
		return false
	}
	entries, end := r.sendWithMore(ctx, entries)
	switch {
	case end == stopped:
		return false
	case end == allRefused:
		return r.waitRefused(ctx, entries)
	case !r.quarantineRejected(ctx):
		return false
	}
	r.refusals.held = nil
	for _, e := range entries {
		r.sent += int64(e.Count)
	}
	if err = r.spool.Done(); err != nil {
		r.log.Error("spool cannot be cleaned up", "err", err, "retry", replayRetry)
		return backoff.Sleep(ctx, replayRetry) // Take tries it again
	}
	return backoff.Sleep(ctx, r.took)
}

// next returns the entries that Kafka refused as a whole in the last step, or else the spool's next entries.
func (r *replay) next() ([]spool.Entry, error) {
	if r.refusals.held != nil {
		return r.refusals.held, nil
	}
	r.refusals.since = time.Now()
	return r.spool.Take(min(replayBytes, r.pub.pool.batch.bytes()), maxBatchRecords)
}

// logEmpty logs once that all entries have been sent, except those that Kafka refuses.
func (r *replay) logEmpty() {
	if r.sent == 0 {
		return
	}
	if refused := r.spool.Stats().Refused; refused > 0 {
		r.log.Warn("spool is sent, except for what kafka refuses", "events", r.sent, "refused", refused)
	} else {
		r.log.Info("spool is empty", "events", r.sent)
	}
	r.sent = 0
}

// waitForPartitions waits until the topic's partitions are known: before that a key has no partition.
func (r *replay) waitForPartitions(ctx context.Context) bool {
	for r.pub.Partitions() == 0 {
		if !backoff.Sleep(ctx, outageProbe) {
			return false
		}
	}
	return true
}

// yieldToRequests lets waiting requests go first, for replayYield at most.
func (r *replay) yieldToRequests(ctx context.Context) bool {
	for until := time.Now().Add(replayYield); r.pub.busy() && time.Now().Before(until); {
		if !backoff.Sleep(ctx, replayPoll) {
			return false
		}
	}
	return ctx.Err() == nil
}

// busy reports whether requests wait to be sent.
func (p *Publisher) busy() bool {
	for _, l := range p.lanes {
		if !l.own.empty() {
			return true
		}
	}
	return !p.shared.empty()
}

// batches makes a batch for each partition of the entries, in order, and one for the entries of any partition.
func (r *replay) batches(entries []spool.Entry) []*inflightBatch {
	var batches []*inflightBatch
	of := map[int]*inflightBatch{}
	for _, e := range entries {
		for _, c := range r.chunks(e) {
			b := of[c.partition]
			if b == nil {
				b = &inflightBatch{any: c.partition < 0, partition: c.partition}
				of[c.partition] = b
				batches = append(batches, b)
			}
			b.chunks = append(b.chunks, c)
		}
	}
	return batches
}

// chunks returns an entry's records, cut where the partition changes. An entry has a partition, unless it was spooled
// before the number of partitions was known: then its keys choose now.
func (r *replay) chunks(e spool.Entry) []*chunk {
	if e.Partition >= 0 {
		return []*chunk{r.chunk(e.Records, e.Count, e.Partition%r.pub.Partitions(), e.AcceptedAt)}
	}
	var chunks []*chunk
	for rest := e.Records; len(rest) > 0; {
		partition, at, count := r.pub.PartitionOf(recordbatch.Key(rest)), 0, 0
		for ; at < len(rest) && r.pub.PartitionOf(recordbatch.Key(rest[at:])) == partition; count++ {
			at += recordbatch.Skip(rest[at:], 1)
		}
		chunks = append(chunks, r.chunk(rest[:at], count, partition, e.AcceptedAt))
		rest = rest[at:]
	}
	return chunks
}

// chunk makes a chunk that no request waits for. Its memory is the entry's: it keeps a holder for ever, so that it does
// not go into the pool.
func (r *replay) chunk(records []byte, count, partition int, accepted time.Time) *chunk {
	c := &chunk{records: records, count: count, partition: partition, done: make(chan struct{}, 1), accepted: accepted}
	c.deadline = time.Now().Add(100 * 365 * 24 * time.Hour)
	c.holders.Store(2)
	r.pub.flow.inflight.Add(int64(c.size()))
	return c
}
