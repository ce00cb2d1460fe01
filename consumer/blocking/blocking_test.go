package blocking

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"

	"sluice/consumer/clickhouse"
)

// Whoever is told must be able to act: an outage passes, a missing table does not.
func TestByRead(t *testing.T) {
	t.Parallel()
	code := func(code int) error {
		return fmt.Errorf("%w: %w", clickhouse.ErrRead, &clickhouse.ServerError{Code: code})
	}
	for name, c := range map[string]struct {
		err    error
		reason string
		level  slog.Level
	}{
		"connection lost":      {errors.New("read tcp: connection reset"), ClickHouse, slog.LevelWarn},
		"no such table":        {code(60), Setup, slog.LevelError},
		"not allowed":          {code(497), Setup, slog.LevelError},
		"takes too long":       {code(159), ClickHouse, slog.LevelWarn},
		"server out of memory": {code(173), ClickHouse, slog.LevelWarn},
	} {
		reason := ByRead(c.err)
		assert.Equal(t, c.reason, reason, name)
		assert.Equal(t, c.level, Severity(reason, c.err), name)
	}
	assert.NotEmpty(t, Advice(Setup, code(60)), "somebody has to know what to do")
}
