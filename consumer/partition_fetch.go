package consumer

import (
	"context"
	"errors"
	"time"

	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/consumer/step"
	"sluice/internal/backoff"
	"sluice/internal/recordbatch"
)

// fetchWait is how long the broker may hold an empty fetch.
const fetchWait = 500 * time.Millisecond

// blockedPause is how often a partition that is blocked looks whether it still is, before it fetches more.
const blockedPause = 100 * time.Millisecond

// fetchLoop gathers records into batches.
func (p *partition) fetchLoop(ctx context.Context) {
	defer close(p.sealed)
	p.proc = &processor{topic: p.topic, partition: p.id, maxAge: time.Duration(p.cfg.MaxEventAge), chain: step.Chain{Steps: step.New(p.cfg.steps())}}
	defer func() {
		if p.current != nil { // never sealed: the next owner reads it again
			p.discard(p.current)
		}
	}()
	defer p.turn.end()
	if !p.take(ctx) {
		return
	}
	p.replay = append([]delivery.Range(nil), p.replay...) // the ranges change meanwhile
	var pause backoff.Backoff
	for ctx.Err() == nil {
		p.watch.beat(loopFetch)
		wait, ok := p.ready(ctx)
		if !ok {
			return
		}
		if wait <= 0 {
			continue
		}
		p.asked = false
		if p.suspect && !p.sameTopic(ctx) {
			continue
		}
		answer, err := p.kafka.Fetch(ctx, p.id, p.offset, wait)
		if err == nil {
			err = p.takeIn(ctx, answer)
		}
		switch {
		case err == nil:
			pause = backoff.Backoff{}
			if !p.fetched(ctx, answer) {
				return
			}
		case ctx.Err() != nil:
		case errors.Is(err, kafka.ErrOffsetOutOfRange):
			p.lost()
			p.outOfRange(ctx)
		case errors.Is(err, errOtherTerm):
			p.otherTerm(ctx)
		default:
			p.lost()
			p.watch.outside()
			p.suspect = true
			p.log.Warn("fetch failed, retrying", "partition", p.id, "offset", p.offset, "err", err)
			pause.Wait(ctx)
		}
	}
}

// takeIn takes in the records of an answer, until there is no more memory. An error is the answer's, errOtherTerm or errStopped.
func (p *partition) takeIn(ctx context.Context, answer *kafka.Answer) error {
	p.logStart = max(p.logStart, answer.LogStart)
	for r, err := range answer.Records {
		if err != nil {
			return err
		}
		if p.term != r.Term && p.term > 0 {
			p.nextTerm = r.Term
			return errOtherTerm
		}
		if !p.add(ctx, r) {
			return errStopped
		}
		if p.full() {
			return nil // what is left of the answer is fetched again
		}
	}
	return nil
}

// full says whether the budget is used up. It looks at the budget only every accountEvery bytes.
func (p *partition) full() bool {
	b := p.current
	if b.bytes-b.gauged <= accountEvery {
		return false
	}
	p.account(b)
	room, _ := p.claim.room()
	return !room
}

// fetched notes what a fetch has said besides its records.
func (p *partition) fetched(ctx context.Context, at *kafka.Answer) bool {
	p.highWatermark.Store(at.HighWatermark)
	p.stable.Store(at.LastStable)
	if at.Next > p.offset { // what is there has no records
		if p.term != at.Term && p.term > 0 && at.Term > 0 {
			p.nextTerm = at.Term
			return p.otherTerm(ctx)
		}
		p.offset, p.term = at.Next, at.Term
	}
	if !p.sealReplayed(ctx, p.offset) || !p.skip(ctx) || !p.reaches(ctx, at) {
		return false
	}
	p.account(p.current)
	p.keepUp(p.offset < at.LastStable)
	p.transaction.look(p, at)
	return true
}

// keepUp notes whether there is more on the topic than has been taken in. Where a partition catches up after long, what it has is as late
// as that, and the end of a backlog need not wait for its age as well.
func (p *partition) keepUp(behind bool) {
	switch {
	case !behind:
		if p.behind && p.current.Records > 0 && time.Since(p.behindSince) >= behindAges*p.flushAge {
			p.overdue = true
		}
		p.turn.end()
	case !p.behind:
		p.behindSince = time.Now()
	}
	p.behind = behind
}

// lost forgets that there was more on the topic: until a fetch succeeds nobody knows, and it may hang for as long as a request may.
func (p *partition) lost() {
	p.behind = false
	p.turn.end()
}

// ready says how long the next fetch may wait. Nought: not now, the batch was sealed, or there is no memory.
func (p *partition) ready(ctx context.Context) (time.Duration, bool) {
	wait := fetchWait
	if p.current.Records > 0 && len(p.replay) == 0 {
		wait = min(wait, time.Until(p.due(p.current.since)))
	}
	switch {
	case wait > 0:
	case p.underway() < inserters:
		return 0, p.seal(ctx)
	default: // it would only wait for an inserter; meanwhile it may grow, which makes fewer and larger parts
		wait = 20 * time.Millisecond
	}
	if p.watch.blocked.Load() > 0 && p.underway() > 0 && p.current.Records > 0 && len(p.replay) == 0 {
		// Nothing gets in for now. What is not fetched yet is as safe on the topic, and takes no memory.
		p.turn.end()
		return 0, backoff.Sleep(ctx, min(wait, blockedPause))
	}
	room, freed := p.claim.room()
	switch {
	case room:
		p.starved = time.Time{}
		if p.behind && !p.turn.take(ctx, wait) {
			if p.current.Records == 0 && p.underway() == 0 {
				p.watch.progress() // the others do, or their watches say so
			}
			return 0, ctx.Err() == nil
		}
		return wait, true
	case p.awaits(): // others are on their way and will give memory back
		// Whoever had the turn instead would begin a block with what memory comes back, and there would be many that are small. But
		// it may take as long as ClickHouse, or the dead-letter topic, is away.
		if time.Since(p.starved) >= p.flushAge {
			p.turn.end()
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-freed:
		case <-timer.C:
		case <-ctx.Done():
		}
		return 0, ctx.Err() == nil
	case p.current.Records > 0 && len(p.replay) == 0: // all that we have is in this one
		return 0, p.seal(ctx)
	default: // what has to be built again is as large as it was
		return wait, true
	}
}

// awaits says whether it is worth waiting for memory. What others hold may be stuck, and is not waited for for long; a batch that
// is not replayed is sealed by age anyway.
func (p *partition) awaits() bool {
	if p.starved.IsZero() {
		p.starved = time.Now()
	}
	return p.underway() > 0 || p.claim.awaited() && time.Since(p.starved) < behindAges*p.flushAge
}

// behindAges is how many times its age a batch may get while there is more on the topic: what comes late already is better written
// in whole blocks.
const behindAges = 4

// due is when a batch must be sealed whose first record came at a time: in the partition's next phase. These are a flush age apart,
// and those of the topic's partitions spread evenly over it, by the clock that all consumers have. If all had them together, each
// would wait for the inserts of the others, and the server for the next time.
func (p *partition) due(since time.Time) time.Time {
	if p.behind {
		return since.Add(behindAges * p.flushAge)
	}
	if p.overdue {
		return since
	}
	late := (since.UnixNano() - int64(p.phase)) % int64(p.flushAge)
	return since.Add(p.flushAge - time.Duration(late))
}

// underway is how many batches are sealed and not yet done with.
func (p *partition) underway() int { return cap(p.free) - 1 - len(p.free) }

// add takes one record into the batch, and seals it if it is full.
func (p *partition) add(ctx context.Context, r *recordbatch.Record) bool {
	p.term = r.Term
	if !p.sealReplayed(ctx, r.Offset) {
		return false
	}
	if r.Offset > p.offset {
		p.hole(ctx, r)
	}
	b := p.current
	if b.Records == 0 {
		b.since = time.Now()
	}
	if b.rows == nil { // not before: those who wait for a turn need none, and would keep the large ones from who has it
		b.rows = p.claim.budget.block()
	}
	b.add(r, p.proc)
	p.offset = r.Offset + 1
	if len(p.replay) > 0 {
		return p.sealReplayed(ctx, p.offset)
	}
	if b.Records >= p.cfg.BatchRows || b.bytes >= p.size.limit(p.cfg.BatchBytes) || p.size.reached(b.rows) {
		return p.seal(ctx)
	}
	return true
}

// accountEvery is how many bytes may be taken in before the budget is looked at again: what is compressed can be many times a fetch.
const accountEvery = 256 << 10

// sealReplayed seals the batches of recorded ranges that lie wholly before an offset.
func (p *partition) sealReplayed(ctx context.Context, next int64) bool {
	for len(p.replay) > 0 && p.replay[0].Last < next {
		s := p.replay[0]
		p.replay = p.replay[1:]
		b := p.current
		hash := b.hash.Sum64()
		if hash != s.Hash || b.Records != s.Records {
			lost, ok := p.unread(ctx, s, b.Records)
			if !ok {
				return false
			}
			s.Unread = lost
			p.log.Error("a recorded range is not what it was on the topic", "partition", p.id, "first", s.First, "last", s.Last, "records", b.Records, "recorded", s.Records, "lost", lost)
		}
		records := b.Records
		s.Term = b.Term
		b.Range, b.replayed = s, true
		b.Range.Records = records
		if p.sameOrigin && b.Records < s.Records && p.logStart > s.First && !p.cut {
			hash = s.Hash // its last records are what they were: under its token, nothing of it can get in twice
		}
		b.Range.Hash = hash
		p.first = s.Last + 1
		if !p.send(ctx) {
			return false
		}
	}
	return true
}

// seal closes the batch as a new range.
func (p *partition) seal(ctx context.Context) bool {
	b := p.current
	b.Range.First, b.Range.Hash = p.first, b.hash.Sum64()
	b.SealedAt = time.UnixMilli(time.Now().UnixMilli())
	p.first = b.Last + 1
	return p.send(ctx)
}

// send hands the batch on and takes an empty one.
func (p *partition) send(ctx context.Context) bool {
	p.turn.end()
	p.overdue = false
	b := p.current
	if b.rows == nil { // all of its records are gone
		b.rows = p.claim.budget.block()
	}
	p.account(b)
	b.sent = true
	p.claim.seal(1)
	if !p.hand(ctx, b) {
		return false
	}
	p.current = nil
	return p.take(ctx)
}

// hand gives a batch to the one who keeps the ranges.
func (p *partition) hand(ctx context.Context, b *batch) bool {
	for {
		select {
		case p.sealed <- b:
			return true
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
			p.watch.beat(loopFetch) // waiting for ClickHouse is not standing still
		}
	}
}

func (p *partition) take(ctx context.Context) bool {
	for {
		select {
		case p.current = <-p.free:
			return true
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
			p.watch.beat(loopFetch)
		}
	}
}

// account tells budget and gauge what has been added to a batch.
func (p *partition) account(b *batch) {
	memory := b.memory()
	p.claim.add(memory - b.claimed)
	b.claimed = memory
	p.metrics.buffered.Add(float64(b.bytes - b.gauged))
	b.gauged = b.bytes
}

// discard takes a batch out of budget and gauge, and empties it.
func (p *partition) discard(b *batch) {
	p.claim.add(-b.claimed)
	if b.sent {
		p.claim.seal(-1)
	}
	p.metrics.buffered.Sub(float64(b.gauged))
	if b.rows != nil {
		p.claim.budget.give(b.rows)
	}
	b.reset()
}

// readable is how many offsets behind the committed one can be read: those behind the start of an open transaction cannot.
func (p *partition) readable() int64 {
	return min(p.highWatermark.Load(), p.stable.Load()) - p.head.Load()
}
