package testlog

import (
	"context"
	"log/slog"
	"maps"
	"sync"
)

// Counter is a slog.Handler that counts the messages of all levels. Its zero value is ready.
type Counter struct {
	mu sync.Mutex
	n  map[string]int
}

// Enabled implements slog.Handler.
func (c *Counter) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs implements slog.Handler.
func (c *Counter) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup implements slog.Handler.
func (c *Counter) WithGroup(string) slog.Handler { return c }

// Handle implements slog.Handler.
func (c *Counter) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[r.Message]++
	return nil
}

// Of returns how many records had this message.
func (c *Counter) Of(message string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[message]
}

// All returns the number of records of each message.
func (c *Counter) All() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}
