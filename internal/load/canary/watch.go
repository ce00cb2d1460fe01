package canary

import (
	"context"
	"time"

	"github.com/google/uuid"

	"sluice/internal/backoff"
)

const (
	// lookEvery is the time between two looks for an event that was just sent. It is the precision of the measurement.
	lookEvery = 100 * time.Millisecond
	// lookRarely is that time for an event that has been away for long.
	lookRarely = 2 * time.Second
)

// pause is the time until the next look for an event of an age: a twentieth of it.
func pause(age time.Duration) time.Duration { return min(max(age/20, lookEvery), lookRarely) }

// watch looks for pending events until ctx ends.
func (c *Canary) watch(ctx context.Context) {
	for {
		newest, some := c.newest()
		if !some {
			select {
			case <-c.more:
				continue
			case <-ctx.Done():
				return
			}
		}
		wait := pause(time.Since(newest))
		select {
		case <-c.more: // one that was just sent
			wait = lookEvery
		default:
		}
		if !backoff.Sleep(ctx, wait) {
			return
		}
		c.look(ctx)
	}
}

// newest is when the last pending event was sent.
func (c *Canary) newest() (at time.Time, some bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.pending); n > 0 {
		return c.pending[n-1].sent, true
	}
	return at, false
}

// look asks which pending events are queryable.
func (c *Canary) look(ctx context.Context) {
	c.mu.Lock()
	ids := make([]uuid.UUID, len(c.pending))
	for i, f := range c.pending {
		ids[i] = f.id
	}
	c.mu.Unlock()
	there, err := c.table.present(ctx, ids)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.metrics.failures.WithLabelValues(reasonQuery).Inc()
		c.queryable.is(false, "reason", reasonQuery, "err", err)
		there = nil
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	left, late := c.pending[:0], 0
	var took time.Duration
	for _, f := range c.pending {
		age := now.Sub(f.sent)
		switch {
		case there[f.id]:
			took = age
			c.metrics.queryable.Observe(age.Seconds())
			c.metrics.last.Set(age.Seconds())
			c.metrics.success.Set(float64(now.UnixMilli()) / 1000)
			continue
		case err != nil: // nothing is known
		case age >= giveUpAfter:
			c.metrics.failures.WithLabelValues(reasonLost).Inc()
			c.queryable.is(false, "reason", reasonLost, "event_id", f.id, "after", age.Round(time.Second))
			continue
		case age >= c.cfg.LateAfter:
			if !f.late {
				c.metrics.failures.WithLabelValues(reasonLate).Inc()
			}
			f.late = true
		}
		if f.late {
			late++
		}
		left = append(left, f)
	}
	c.pending = left
	c.metrics.inFlight.Set(float64(len(left)))
	switch {
	case late > 0:
		c.queryable.is(false, "reason", reasonLate, "events", late, "oldest_event_id", left[0].id,
			"after", now.Sub(left[0].sent).Round(time.Second))
	case took > 0:
		c.queryable.is(true, "took", took.Round(time.Millisecond))
	}
}
