package outcomes

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"sluice/internal/outcome"
)

const (
	// MaxTotals bounds the totals in memory: some 30 MB. A gateway that refuses events of ever new projects in one
	// minute reaches it.
	MaxTotals = 100_000
	// Every is how often totals are published, and so what a kill can lose.
	Every = 5 * time.Second
	// publishTimeout is how long one publication may take.
	publishTimeout = 5 * time.Second
)

// Key is what a total is about. Its texts besides the project come from closed lists.
type Key struct {
	Project, Protocol, Outcome, Reason, Category string
}

// total is how often something has happened in a minute.
type total struct {
	events    int64
	published int64     // the value that Kafka, or the spool, has
	source    uuid.UUID // see Counter.source
}

type totalKey struct {
	Key
	minute int64 // in Unix seconds
}

// Config is what a counter needs.
type Config struct {
	// Send publishes records, each the value of one. It returns nil only if all are on Kafka, or on the spool's disk.
	// After an error any of them may be.
	Send func(values [][]byte, deadline time.Time) error
	// Now tells the minutes.
	Now func() time.Time
	Log *slog.Logger
	// Every is how often Run publishes. 0: every 5 s.
	Every time.Duration
	// MaxTotals bounds the totals in memory. 0: 100,000.
	MaxTotals int
}

// Counter counts. Safe for concurrent use.
type Counter struct {
	cfg Config

	mu     sync.Mutex
	totals map[totalKey]*total
	// source names this process in the table. After the clock has gone back to an earlier minute it is another one:
	// the minute's totals may have left memory, and their successors begin at 0 again.
	source uuid.UUID
	minute int64 // the latest
	// fold is the minute of everything that finds no room. 0: there is room.
	fold int64

	publishing sync.Mutex
	failing    bool // the last publication failed
}

// New makes a counter.
func New(cfg Config) *Counter {
	if cfg.Every == 0 {
		cfg.Every = Every
	}
	if cfg.MaxTotals == 0 {
		cfg.MaxTotals = MaxTotals
	}
	return &Counter{cfg: cfg, totals: map[totalKey]*total{}, source: newSource()}
}

func newSource() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// Add counts n events.
func (c *Counter) Add(k Key, n int) {
	if n <= 0 {
		return
	}
	now := outcome.MinuteOf(c.cfg.Now())
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.totals[totalKey{k, now}]
	if t == nil {
		t = c.begin(k, now)
	}
	t.events = min(t.events+int64(n), outcome.MaxEvents)
}

// begin returns the total of a key that has none in this minute.
func (c *Counter) begin(k Key, minute int64) *total {
	if minute < c.minute {
		c.source = newSource()
	}
	c.minute = minute
	if len(c.totals) >= c.cfg.MaxTotals {
		if c.fold == 0 {
			c.fold = minute
		}
		k.Project, minute = "", c.fold
	}
	at := totalKey{k, minute}
	t := c.totals[at]
	if t == nil {
		t = &total{source: c.source}
		c.totals[at] = t
	}
	return t
}

// Pending returns how many events are counted in totals that are not published.
func (c *Counter) Pending() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := int64(0)
	for _, t := range c.totals {
		n += t.events - t.published
	}
	return n
}

// Folded reports whether there is no room, and what happens to further projects is counted without a project.
func (c *Counter) Folded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fold != 0
}

// Run publishes until ctx ends.
func (c *Counter) Run(ctx context.Context) {
	tick := time.NewTicker(c.cfg.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.Flush(time.Now().Add(publishTimeout))
		case <-ctx.Done():
			return
		}
	}
}
