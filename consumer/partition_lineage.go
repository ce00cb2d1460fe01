package consumer

import (
	"context"
	"errors"
	"sluice/consumer/kafka"
	"time"

	"github.com/google/uuid"
)

// errOtherTerm ends a fetch because another leader appended what comes next.
var errOtherTerm = errors.New("the next record is of another leader's term")

// otherTerm makes sure, before the first record of another leader is taken in, that this leader had all that was read before. After an unclean
// election it had not: its log ended earlier, and what it appended since has offsets that were read already, with other records.
func (p *partition) otherTerm(ctx context.Context) bool {
	past, err := p.kafka.Lineage(ctx, p.id, p.term)
	if err != nil {
		p.watch.outside()
		p.log.Warn("the leader does not say where the epoch before its own ends, asking again", "partition", p.id, "offset", p.offset, "err", err)
		p.dispute.pause.Wait(ctx)
		return ctx.Err() == nil
	}
	switch {
	case p.another(past.Topic):
		return p.madeAnew(ctx, past.Topic)
	case past.End >= 0 && past.End < p.offset:
		return p.lostItsEnd(ctx, past.End)
	}
	p.term = p.nextTerm
	return true
}

// another says whether a topic is another one than what was read is of.
func (p *partition) another(topic uuid.UUID) bool {
	return p.origin != uuid.UUID{} && topic != uuid.UUID{} && p.origin != topic
}

// sameTopic looks, after the start and after a fetch that failed, whether the topic is the one that was read before. It returns false if not; then
// the partition begins anew. Where Kafka does not answer, it is looked at after the next failure.
func (p *partition) sameTopic(ctx context.Context) bool {
	p.watch.beat(loopFetch)
	past, err := p.kafka.Lineage(ctx, p.id, 0)
	if err != nil {
		p.log.Debug("the topic's id is not known", "partition", p.id, "err", err)
		return true
	}
	p.suspect = false
	p.sameOrigin = p.origin != uuid.UUID{} && p.origin == past.Topic
	if p.another(past.Topic) {
		p.madeAnew(ctx, past.Topic)
		return false
	}
	if p.origin != past.Topic {
		p.origin = past.Topic
		return p.adopt(ctx)
	}
	return true
}

// adopt has the topic's id recorded, in the next commit.
func (p *partition) adopt(ctx context.Context) bool {
	if p.origin == (uuid.UUID{}) {
		return true // a broker that does not know ids any more: those that were recorded stay
	}
	b := &batch{skip: true, topic: p.origin}
	return p.hand(ctx, b)
}

// ended goes on after the topic was found to end before the offset.
func (p *partition) ended(ctx context.Context, oldest, end int64) {
	past, err := p.kafka.Lineage(ctx, p.id, p.term)
	switch {
	case err == nil && !p.another(past.Topic) && past.End >= p.offset:
		p.watch.outside() // the records are there, and their leader does not know yet that they are safe
	case err != nil: // the next fetch fails as this one did
		p.watch.outside()
		p.log.Warn("fetch failed, retrying", "partition", p.id, "offset", p.offset, "err", err)
		p.dispute.pause.Wait(ctx)
	case p.another(past.Topic):
		p.madeAnew(ctx, past.Topic)
	case p.origin != uuid.UUID{} && past.Topic != uuid.UUID{} && past.End >= 0:
		p.lostItsEnd(ctx, max(oldest, min(past.End, end)))
	default:
		p.log.Error("the topic ends before the offset that was read last: it lost its end, or was made anew; going on at its oldest record, without "+
			"inserting again what is in ClickHouse", "partition", p.id, "offset", p.offset, "end", end, "gone", p.offset-end, "oldest", oldest)
		p.goOn(ctx, oldest, past.Topic)
	}
}

// reaches looks whether the topic has all offsets of the ranges that are recorded. A leader that has just taken over may not know of the last
// ones yet that they are safe; if it stays so, they were cut off.
func (p *partition) reaches(ctx context.Context, at *kafka.Answer) bool {
	n := len(p.replay)
	if n == 0 || p.offset < at.HighWatermark || p.offset > p.replay[n-1].Last {
		p.dispute = dispute{}
		return true
	}
	if !p.dispute.found(verdictCut, time.Now()) {
		return true
	}
	p.log.Error("the topic ends within what was recorded: records that were acknowledged are gone; those in ClickHouse stay there", "partition", p.id,
		"end", p.offset, "recorded_to", p.replay[n-1].Last)
	return p.goOn(ctx, p.offset, p.origin)
}

// madeAnew begins at the oldest record of a topic that has the name of the one that was read, and is another.
func (p *partition) madeAnew(ctx context.Context, topic uuid.UUID) bool {
	oldest, end, err := p.kafka.Bounds(ctx, p.id)
	if err != nil {
		p.suspect = true
		p.watch.outside()
		p.log.Warn("fetch failed, retrying", "partition", p.id, "offset", p.offset, "err", err)
		p.dispute.pause.Wait(ctx)
		return ctx.Err() == nil
	}
	p.log.Error("the topic was deleted and made anew; going on at its oldest record", "partition", p.id, "offset", p.offset, "oldest", oldest, "end", end)
	return p.goOn(ctx, oldest, topic)
}

// lostItsEnd goes on where the log of an earlier leader and of this one part.
func (p *partition) lostItsEnd(ctx context.Context, end int64) bool {
	p.log.Error("the topic lost its end in an unclean election of a leader: records that were acknowledged are gone; those that were read stay in ClickHouse; "+
		"going on where the new leader's log begins to differ", "partition", p.id, "offset", p.offset, "from", end, "gone", p.offset-end)
	return p.goOn(ctx, end, p.origin)
}

// goOn goes on at another offset, before the one that was reached. What was recorded is gone, and what is there from the new offset on may be
// new, under offsets that the table has already.
func (p *partition) goOn(ctx context.Context, to int64, topic uuid.UUID) bool {
	if p.current.Records > 0 && len(p.replay) == 0 && !p.seal(ctx) {
		return false
	}
	p.cut = true
	for len(p.replay) > 0 {
		if !p.sealReplayed(ctx, p.replay[0].Last+1) {
			return false
		}
	}
	p.cut, p.handled, p.logStart = false, -1, 0
	p.dispute, p.suspect = dispute{}, false
	p.origin, p.sameOrigin, p.term = topic, false, 0
	p.offset, p.first = to, to
	b := p.current
	b.jump, b.Range.First, b.topic = true, to, topic
	return p.send(ctx)
}
