// Package testlog counts log messages for tests.
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

// Enabled is part of slog.Handler.
func (c *Counter) Enabled(context.Context, slog.Level) bool { return true }

// WithAttrs is part of slog.Handler.
func (c *Counter) WithAttrs([]slog.Attr) slog.Handler { return c }

// WithGroup is part of slog.Handler.
func (c *Counter) WithGroup(string) slog.Handler { return c }

// Handle is part of slog.Handler.
func (c *Counter) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[r.Message]++
	return nil
}

// Of returns how often the message was logged.
func (c *Counter) Of(message string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[message]
}

// All returns how often each message was logged.
func (c *Counter) All() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}
