package consumer

import "context"

// start is where a partition begins.
type start struct {
	head     int64
	metadata string
	end      int64 // of the topic; the head where it is not known
	lost     int64 // so many offsets before the head were passed over, by setting the group's offset forward
}

// start asks Kafka where to begin. With a committed offset it does not wait for the topic's bounds: a leader that has just taken over, or a
// partition with too few replicas in sync, does not tell them, and fetching may work all the same.
func (p *partition) start(ctx context.Context) (s start, ok bool) {
	var first int64
	try := func() (err error) {
		if s.head, s.metadata, err = p.ledger.Committed(ctx, p.id); err != nil {
			return err
		}
		first, s.end, err = p.kafka.Bounds(ctx, p.id)
		if err != nil && s.head >= 0 {
			p.log.Warn("the oldest and the newest offset are not known yet, starting at the committed one", "partition", p.id, "offset", s.head, "err", err)
			s.end, err = s.head, nil
		}
		return err
	}
	if !p.retry(ctx, "cannot read the committed offset, retrying", try) {
		return s, false
	}
	if s.head < 0 {
		s.head, s.metadata = first, ""
		return p.uncommitted(ctx, s)
	}
	if s.metadata == "" {
		return p.setByHand(ctx, s)
	}
	return s, true
}

// setByHand begins at an offset that somebody has set: a consumer's has metadata. If it was set forward, past records that nobody has dealt
// with, these are counted as lost.
func (p *partition) setByHand(ctx context.Context, s start) (start, bool) {
	highest, err := p.seen(ctx, loopFetch, 0)
	if err != nil {
		return s, false
	}
	if highest >= 0 && highest+1 < s.head {
		s.lost = s.head - highest - 1
		p.log.Error("the group's offset was set forward: what it passes over is not read, and counts as lost", "partition", p.id,
			"from", highest+1, "to", s.head-1, "lost", s.lost)
	}
	return s, true
}

// uncommitted begins for a group that has nothing committed: at the oldest record. If the table has records from before that one, the
// committed offset has expired, and what is between them and the oldest record was removed before it was read.
func (p *partition) uncommitted(ctx context.Context, s start) (start, bool) {
	highest, err := p.seen(ctx, loopFetch, 0)
	if err != nil {
		return s, false
	}
	if highest >= 0 && highest+1 < s.head {
		p.log.Warn("the group has no committed offset, and the table has rows from before the oldest record: going on after them",
			"partition", p.id, "offset", highest+1, "oldest", s.head)
		s.head = highest + 1
	}
	return s, true
}
