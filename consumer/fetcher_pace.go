package consumer

import (
	"context"
	"time"

	"sluice/consumer/alive"
)

const (
	// fetchWait is how long the broker may hold an empty fetch.
	fetchWait = 500 * time.Millisecond
	// blockedPause is how often a blocked partition looks whether it still is blocked, before it fetches more.
	blockedPause = 100 * time.Millisecond
	// overduePause is how long a fetch may wait if the batch is due and all inserters are busy.
	overduePause = 20 * time.Millisecond
	// blockPatience is how long the end of a backlog waits at most for a block that others fill: it holds memory.
	blockPatience = time.Second
	// behindAges is how many flush ages a batch may wait while there is more on the topic: late records are better
	// written in whole blocks.
	behindAges = 4
)

// moveKind is what the fetcher does next.
type moveKind int

const (
	moveFetch       moveKind = iota // fetch, and wait for the first record
	moveFetchInTurn                 // the same, but only with a turn, because there is a backlog
	moveSeal                        // close the batch
	moveAwaitMemory                 // wait until other batches give memory back
	movePause                       // nothing gets into ClickHouse: wait before fetching more
)

// move is what the fetcher does next, how long it may wait for that, and what is closed when there may be memory.
type move struct {
	kind  moveKind
	wait  time.Duration
	freed <-chan struct{}
}

// nextMove decides what to do next. It does not wait.
func (f *fetcher) nextMove() move {
	wait := fetchWait
	var due time.Time
	if f.sealable() {
		due = f.due(f.current.since)
		wait = min(wait, time.Until(due))
	}
	if f.sealed() >= alive.Inserters {
		due = time.Time{}
	}
	f.seat.Due(due)
	if wait <= 0 {
		if f.sealed() < alive.Inserters {
			return move{kind: moveSeal}
		}
		wait = overduePause // sealed, it would wait for an inserter; unsealed, it grows, which makes fewer parts
	}
	if f.watch.Blocked() && f.sealed() > 0 && f.sealable() {
		// Records are as safe on the topic, and take no memory there.
		return move{kind: movePause, wait: min(wait, blockedPause)}
	}
	room, freed := f.claim.Room()
	switch {
	case room && f.backlog.behind:
		f.starved = time.Time{}
		return move{kind: moveFetchInTurn, wait: wait}
	case room:
		f.starved = time.Time{}
		return move{kind: moveFetch, wait: wait}
	case f.expectsMemory():
		return move{kind: moveAwaitMemory, wait: wait, freed: freed}
	case f.sealable(): // it holds all memory that this partition has
		return move{kind: moveSeal}
	default: // a recorded range is as large as it was, and must be built
		return move{kind: moveFetch, wait: wait}
	}
}

// sealable says that the batch may be closed as a new range now.
func (f *fetcher) sealable() bool { return f.current.Records > 0 && !f.replaying() }

// expectsMemory says whether it is worth waiting for memory. A sealed batch of this partition will give some back.
// Batches of other partitions may be stuck, so they are not waited for longer than for a backlog's batch.
func (f *fetcher) expectsMemory() bool {
	if f.starved.IsZero() {
		f.starved = time.Now()
	}
	return f.sealed() > 0 || f.claim.Awaited() && time.Since(f.starved) < behindAges*f.flushAge
}

// awaitMemory waits until memory may be free. It keeps its turn for a flush age: another partition would begin a block
// with what memory comes back, and there would be many small blocks. But ClickHouse or the dead-letter topic may be
// away for long.
func (f *fetcher) awaitMemory(ctx context.Context, m move) {
	if time.Since(f.starved) >= f.flushAge {
		f.turn.End()
	}
	timer := time.NewTimer(m.wait)
	defer timer.Stop()
	select {
	case <-m.freed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// awaitTurn waits for a turn, and says whether the fetcher has one.
func (f *fetcher) awaitTurn(ctx context.Context, wait time.Duration) bool {
	if f.turn.Take(ctx, wait) {
		return true
	}
	if f.current.Records == 0 && f.sealed() == 0 {
		f.watch.Progress() // others have the turns and make progress, or their watches say so
	}
	return false
}

// due is when a batch must be sealed whose first record came at a time: at the partition's next phase. Phases of one
// partition are a flush age apart, and those of the topic's partitions spread evenly over it, by the clock that all
// consumers share. In step, all partitions would wait for each other's inserts, and then the server would wait for
// them.
func (f *fetcher) due(since time.Time) time.Time {
	if f.backlog.behind {
		return since.Add(behindAges * f.flushAge)
	}
	if f.backlog.overdue {
		return since
	}
	return f.phaseAfter(since)
}

// phaseAfter is the partition's next phase after a time.
func (f *fetcher) phaseAfter(at time.Time) time.Time {
	late := (at.UnixNano() - int64(f.phase)) % int64(f.flushAge)
	return at.Add(f.flushAge - time.Duration(late))
}

// backlog is whether there is more on the topic than was taken in.
type backlog struct {
	behind  bool
	since   time.Time // when behind became true
	overdue bool      // the batch is the end of a backlog, and is sealed without waiting for its age
}

// noteBacklog takes whether the last answer left records on the topic.
func (f *fetcher) noteBacklog(behind bool) {
	b := &f.backlog
	switch {
	case !behind:
		b.overdue = b.overdue || b.behind && f.current.Records > 0 && time.Since(b.since) >= f.longBacklog()
		f.turn.End()
	case !b.behind:
		b.since = time.Now()
	}
	b.behind = behind
}

// longBacklog is how long a backlog takes whose last batch is sealed at once. A partition with a seat then waits until
// the block is full, if others of its unit still have a backlog: until its phase, and not for longer than
// blockPatience.
func (f *fetcher) longBacklog() time.Duration {
	if f.seat != nil {
		return f.flushAge / 4
	}
	return behindAges * f.flushAge
}

// forgetBacklog is called after a failed fetch: nobody knows whether there is a backlog, and the next fetch may hang
// while it holds a turn.
func (f *fetcher) forgetBacklog() {
	f.backlog.behind = false
	f.turn.End()
}
