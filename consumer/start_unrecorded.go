package consumer

import (
	"context"
	"time"

	"sluice/consumer/delivery"
	"sluice/internal/backoff"
	"sluice/internal/crashpoint"
)

// unrecordedAge is how long after its assignment a partition begins if what an earlier owner had recorded is lost. The
// earlier owner may send for as long as it trusts its last look at the table, and what it sent may arrive late.
var unrecordedAge = crashpoint.Duration("unrecorded", delivery.TokenTrust+window.Life)

// outwaitUnrecorded waits until nothing that an earlier owner has sent can arrive any more. It is called if the group's
// offset does not say which ranges were recorded behind it: its metadata is unreadable, or the table has rows of the
// partition and somebody set the offset or deleted it. Without the wait, records that are on their way would go in once
// more, in another range under another token. If there is no record behind the offset, there is nothing to wait for.
// outwaitUnrecorded returns false if ctx ended.
func (p *partition) outwaitUnrecorded(ctx context.Context, s start) bool {
	from := p.progress.assigned.Add(p.unrecorded)
	if !s.open && s.head >= s.end || !time.Now().Before(from) {
		return true
	}
	p.log.Warn("what the group had recorded for the partition is lost; "+
		"it begins once no earlier insert can be under way any more", "offset", s.head, "until", from)
	return p.outwait(ctx, loopFetch, from)
}

// outwait waits until a time. It returns false if ctx ended.
func (p *partition) outwait(ctx context.Context, loop loop, until time.Time) bool {
	for time.Now().Before(until) {
		p.watch.beat(loop)
		p.watch.outside()
		if !backoff.Sleep(ctx, min(time.Second, time.Until(until))) {
			return false
		}
	}
	return true
}
