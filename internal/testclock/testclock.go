// Package testclock provides a clock that stands still until a test moves it.
package testclock

import (
	"sync"
	"time"
)

// Clock has a time of day and an elapsed time. It is safe for concurrent use.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	passed time.Duration
}

// New returns a clock that shows now.
func New(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the time of day.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Elapsed returns the sum of all Advance calls. Code that must not depend on the time of day reads it.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

// Jump changes the time of day by d, as an operator or a dead battery does. No time elapses.
func (c *Clock) Jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Advance lets d elapse.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.passed += d
}
