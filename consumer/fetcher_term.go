package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/alive"
	"sluice/consumer/kafka"
	"sluice/consumer/observed"
)

// errOtherTerm ends the reading of an answer, because another leader appended the next record.
var errOtherTerm = errors.New("the next record is of another leader's term")

// checkTerm makes sure, before it takes in the first record of another leader, that this leader had everything that was
// read before. After an unclean election it had not: its log ended earlier, and what it appended since has offsets that
// were read already, with other records.
func (f *fetcher) checkTerm(ctx context.Context) {
	past, err := f.kafka.Lineage(ctx, f.id, f.term)
	if err != nil {
		f.watch.Outside()
		f.log.Warn("the leader does not say where the epoch before its own ends, asking again", "offset", f.offset,
			"err", err)
		f.dispute.Pause.Wait(ctx)
		return
	}
	switch {
	case f.isOtherTopic(past.Topic):
		f.restartOnNewTopic(ctx, past.Topic)
	case past.End >= 0 && past.End < f.offset:
		f.log.Error("the topic lost its end in an unclean election of a leader: acknowledged records are gone, and "+
			"those that were read stay in ClickHouse; going on where the new leader's log begins to differ",
			"offset", f.offset, "from", past.End,
			"gone", f.offset-past.End)
		f.jump(ctx, past.End, f.topicID)
	default:
		f.term = f.nextTerm
	}
}

// isOtherTopic says whether a topic is another one than the one that was read.
func (f *fetcher) isOtherTopic(id uuid.UUID) bool {
	return f.topicID != uuid.UUID{} && id != uuid.UUID{} && f.topicID != id
}

// verified says whether the topic is the one that was read, and asks if that is in doubt.
func (f *fetcher) verified(ctx context.Context) bool { return !f.unverified || f.verifyTopic(ctx) }

// verifyTopic compares the topic's id with that of the topic that was read, after the start and after a failed fetch.
// It returns false if it is another topic; then the partition begins anew. If Kafka does not answer, the next failure
// asks again.
func (f *fetcher) verifyTopic(ctx context.Context) bool {
	f.watch.Beat(alive.Fetch)
	past, err := f.kafka.Lineage(ctx, f.id, 0)
	if err != nil {
		f.log.Debug("the topic's id is unknown", "err", err)
		return true
	}
	f.unverified = false
	f.sameTopic = f.topicID != uuid.UUID{} && f.topicID == past.Topic
	if f.isOtherTopic(past.Topic) {
		f.restartOnNewTopic(ctx, past.Topic)
		return false
	}
	if past.Topic == f.topicID || past.Topic == (uuid.UUID{}) { // brokers without ids: the recorded id stays
		return true
	}
	f.topicID = past.Topic
	return f.tell(ctx, report{kind: reportTopic, topic: f.topicID})
}

// resolveCut goes on after the topic was found to end before the offset.
func (f *fetcher) resolveCut(ctx context.Context, oldest, end int64) {
	past, err := f.kafka.Lineage(ctx, f.id, f.term)
	switch {
	case err == nil && !f.isOtherTopic(past.Topic) && past.End >= f.offset:
		f.watch.Outside() // the records are there, and their leader does not know yet that they are committed
	case err != nil: // the next fetch fails as this one did
		f.fetchFailed(ctx, &f.dispute.Pause, err)
	case f.isOtherTopic(past.Topic):
		f.restartOnNewTopic(ctx, past.Topic)
	case f.topicID != uuid.UUID{} && past.Topic != uuid.UUID{} && past.End >= 0:
		f.jump(ctx, max(oldest, min(past.End, end)), f.topicID)
	default:
		f.log.Error("the topic ends before the offset that was read last: it lost its end, or was created anew; "+
			"going on at its oldest record, without inserting again what is in ClickHouse",
			"offset", f.offset, "end", end, "gone",
			f.offset-end, "oldest", oldest)
		f.jump(ctx, oldest, past.Topic)
	}
}

// checkReplayEnds looks whether the topic has all offsets of the recorded ranges. A leader that has just taken over may
// not know yet that the last ones are committed. If it goes on saying so, they were cut off. checkReplayEnds returns
// false if ctx ended.
func (f *fetcher) checkReplayEnds(ctx context.Context, answer *kafka.Answer) bool {
	if !f.replaying() || f.offset < answer.HighWatermark || f.offset >= f.replay.end() {
		f.dispute = observed.Dispute{}
		return true
	}
	if !f.dispute.Found(observed.Cut, time.Now()) {
		return true
	}
	f.log.Error("the topic ends within the recorded ranges: acknowledged records are gone; rows in ClickHouse stay",
		"end", f.offset, "recorded_to", f.replay.end()-1)
	return f.jump(ctx, f.offset, f.topicID)
}

// restartOnNewTopic begins at the oldest record of a topic that was created under the name of the one that was read.
func (f *fetcher) restartOnNewTopic(ctx context.Context, id uuid.UUID) {
	oldest, end, err := f.kafka.Bounds(ctx, f.id)
	if err != nil {
		f.unverified = true
		f.fetchFailed(ctx, &f.dispute.Pause, err)
		return
	}
	f.log.Error("the topic was deleted and created anew; going on at its oldest record", "offset", f.offset,
		"oldest", oldest, "end", end)
	f.jump(ctx, oldest, id)
}

// jump goes on at an offset before the one that was reached. The recorded ranges are gone from the topic, and the
// records from the new offset on may be new ones, under offsets that the table has already. jump returns false if ctx
// ended.
func (f *fetcher) jump(ctx context.Context, to int64, id uuid.UUID) bool {
	if f.sealable() && !f.seal(ctx) {
		return false
	}
	f.cut = true
	for f.replaying() {
		if !f.sealReplayed(ctx, f.ranges[0].Last+1) {
			return false
		}
	}
	f.cut, f.handled = false, -1
	f.cursor = cursor{offset: to, topicID: id}
	f.first = to
	r := report{kind: reportJump, offset: to, topic: id, lost: f.current.Lost}
	f.current.Lost = 0
	f.turn.End()
	return f.tell(ctx, r)
}
