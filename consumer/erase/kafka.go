package erase

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sluice/internal/deadletters"
	"sluice/internal/erasure"
	"sluice/internal/event"
	"sluice/internal/topics"
)

// covers tells which dead letters are erased.
func covers(marks []erasure.Mark) func(*deadletters.Letter) bool {
	matcher := erasure.NewMatcher(erasure.NewList(marks))
	return func(l *deadletters.Letter) bool {
		headers := make([]event.Header, len(l.Headers))
		for i, h := range l.Headers {
			headers[i] = event.Header{Key: h.Key, Value: h.Value}
		}
		return matcher.Covers(l.Project, l.Value, headers)
	}
}

// countLetters counts the dead letters of marks.
func (e *Eraser) countLetters(ctx context.Context, marks []erasure.Mark) (n int64, err error) {
	desk, closeDesk, err := deadletters.New(e.conn)
	if err != nil {
		return 0, err
	}
	defer closeDesk()
	erased := covers(marks)
	for l, err := range desk.Letters(ctx, &deadletters.Filter{}) {
		if err != nil {
			return n, err
		}
		if erased(&l) {
			n++
		}
	}
	return n, nil
}

// removeLetters removes the dead letters of marks. What cannot be removed stays until the topic's retention.
func (e *Eraser) removeLetters(ctx context.Context, marks []erasure.Mark, kept topics.Kept, r *Receipt) error {
	desk, closeDesk, err := deadletters.New(e.conn)
	if err != nil {
		return err
	}
	defer closeDesk()
	e.progress("looking for dead letters on %s", e.conn.DeadTopic)
	purged, err := desk.Purge(ctx, covers(marks))
	if err != nil && ctx.Err() != nil {
		return err
	}
	r.Gone = append(r.Gone, Gone{Where: "kafka " + e.conn.DeadTopic, What: "dead letters", Count: int64(purged.Removed)})
	switch {
	case err != nil:
		r.remains(PlaceLetters, keptUntil(r.Finished, kept), "kafka "+e.conn.DeadTopic, "dead letters",
			"they could not be removed ("+err.Error()+"); retention removes them")
	case purged.Removed > 0:
		e.progress("%d dead letters removed, %d moved to the end of their partitions", purged.Removed, purged.Moved)
		r.remains(PlaceOther, keptUntil(r.Finished, kept), "the disks of Kafka's brokers",
			"removed dead letters, which nobody can read any more", "a broker deletes whole segments")
	}
	return nil
}

// keptUntil is when Kafka has removed what is on a topic at a time; nil: never.
func keptUntil(now time.Time, kept topics.Kept) *time.Time {
	if kept.For == 0 {
		return nil
	}
	at := now.Add(kept.For).UTC().Truncate(time.Second)
	return &at
}

// positions are the ends of a topic's partitions.
func positions(kept topics.Kept) (all []LogPosition) {
	for _, p := range kept.Partitions {
		if p.End > p.First {
			all = append(all, LogPosition{kept.Topic, p.Partition, p.End})
		}
	}
	return all
}

// unread counts the offsets before the positions that a topic still has.
func unread(before []LogPosition, kept topics.Kept) (n int64) {
	for _, p := range before {
		i := slices.IndexFunc(kept.Partitions, func(x topics.Extent) bool { return x.Partition == p.Partition })
		if p.Topic == kept.Topic && i >= 0 {
			n += max(0, p.Before-kept.Partitions[i].First)
		}
	}
	return n
}

// noteTopic notes what remains on the topic of the events.
func (e *Eraser) noteTopic(kept topics.Kept, r *Receipt) {
	r.Log = positions(kept)
	why := "Kafka's retention removes them; consumers drop them until then"
	if kept.For == 0 {
		why = "the topic keeps events for ever: set a retention with `sluice topics apply`; consumers drop them"
	}
	r.remains(PlaceTopic, keptUntil(r.Finished, kept), "kafka "+e.conn.Topic,
		fmt.Sprintf("events as they were sent, on %d partitions", len(r.Log)), why)
}
