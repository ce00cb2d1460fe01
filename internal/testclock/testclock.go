// Package testclock is a clock that stands still until a test moves it.
package testclock

import (
	"sync"
	"time"
)

// Clock is the time of day, and the time that has passed. It is safe for concurrent use.
type Clock struct {
	mu     sync.Mutex
	now    time.Time
	passed time.Duration
}

// New makes a clock that shows a time of day.
func New(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the time of day.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Elapsed returns by how much the clock was advanced, for what must not go by the time of day.
func (c *Clock) Elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

// Jump sets the time of day, as an operator or a broken battery does. No time passes.
func (c *Clock) Jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.passed += d
}
