package outcomes

import (
	"time"

	"github.com/google/uuid"

	"sluice/internal/outcome"
)

// sent is a total as it was published.
type sent struct {
	*total
	events int64
}

// Flush publishes the totals that have changed since they were published last. Those that nobody acknowledges stay for
// the next time.
func (c *Counter) Flush(deadline time.Time) {
	c.publishing.Lock()
	defer c.publishing.Unlock()
	all, rows := c.changed()
	if len(all) == 0 {
		c.forget()
		return
	}
	var values [][]byte
	for source, of := range rows {
		for len(of) > 0 {
			n := min(len(of), outcome.MaxRows)
			values = append(values, outcome.Encode(source, of[:n]))
			of = of[n:]
		}
	}
	err := c.cfg.Send(values, deadline)
	if failing := err != nil; failing != c.failing {
		c.failing = failing
		if failing {
			c.cfg.Log.Warn("cannot publish the counts of refused events, they stay in memory", "events", c.Pending(),
				"err", err)
		} else {
			c.cfg.Log.Info("the counts of refused events are published again")
		}
	}
	if err == nil {
		c.acknowledge(all)
		c.forget()
	}
}

// changed returns the totals to publish, and their rows by source.
func (c *Counter) changed() (all []sent, rows map[uuid.UUID][]outcome.Row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows = map[uuid.UUID][]outcome.Row{}
	for k, t := range c.totals {
		if t.events == t.published {
			continue
		}
		all = append(all, sent{t, t.events})
		rows[t.source] = append(rows[t.source], outcome.Row{
			Project: k.Project, Minute: k.minute, Protocol: k.Protocol, Outcome: k.Outcome, Reason: k.Reason,
			Category: k.Category, Events: t.events,
		})
	}
	return all, rows
}

// acknowledge notes what was published.
func (c *Counter) acknowledge(all []sent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range all {
		s.published = s.events
	}
}

// forget removes the totals that can change no more and are published.
func (c *Counter) forget() {
	now := outcome.MinuteOf(c.cfg.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	if now < c.minute { // the clock has gone back: see Counter.source
		c.source = newSource()
	}
	c.minute = now
	for k, t := range c.totals {
		if t.events == t.published && k.minute != now && k.minute != c.fold {
			delete(c.totals, k)
		}
	}
	if c.fold != 0 && c.fold != now && len(c.totals) < c.cfg.MaxTotals/2 {
		// The totals of the folded minute leave with the next call: nobody adds to them any more.
		c.fold = 0
	}
}
