package ratelimit

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// redisReply is an error as Redis answers it.
type redisReply string

func (r redisReply) Error() string { return string(r) }
func (redisReply) RedisError()     {}

// TestEachCauseOfAnOutageIsLogged: each cause of an outage is logged once. When the outage ends, the log says how
// often each cause came. The next outage starts again.
func TestEachCauseOfAnOutageIsLogged(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	s := NewStore(Config{}, unregistered(), slog.New(slog.NewTextHandler(&text, nil)), time.Now)
	for range 2 {
		text.Reset()
		for _, err := range []error{
			fmt.Errorf("limit store: %w", redisReply("WRONGPASS invalid username-password pair")),
			redisReply("WRONGPASS invalid username-password pair"),
			redisReply("READONLY You can't write against a read only replica."),
			errors.New("dial tcp 10.0.0.1:6379: connection refused"),
			errors.New("dial tcp 10.0.0.2:6380: connection refused"),
			redisReply("READONLY You can't write against a read only replica."),
		} {
			s.fail(err)
		}
		assert.Equal(t, 3, strings.Count(text.String(), "level=WARN"), "one warning a cause:\n%s", &text)
		for _, cause := range []string{"WRONGPASS", "READONLY", "connection refused"} {
			assert.Contains(t, text.String(), cause)
		}
		text.Reset()
		s.rejoin()
		assert.Contains(t, text.String(),
			`failures=6 causes="WRONGPASS: 2, READONLY: 2, dial tcp #.#.#.#:#: connection refused: 2"`)
	}
}
