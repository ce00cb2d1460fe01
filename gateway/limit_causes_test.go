package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// redisReply is an error as Redis answers it.
type redisReply string

func (r redisReply) Error() string { return string(r) }
func (redisReply) RedisError()     {}

// TestEachCauseOfAnOutageIsSaid: a limit store that is away for one reason and then for another says both, each once, and at its end how
// often each came. The next outage begins anew.
func TestEachCauseOfAnOutageIsSaid(t *testing.T) {
	var text bytes.Buffer
	s := newLimitStore(storeConfig{}, unregistered(), slog.New(slog.NewTextHandler(&text, nil)), time.Now)
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
		if got := strings.Count(text.String(), "level=WARN"); got != 3 {
			t.Errorf("%d warnings, want one for each of three causes:\n%s", got, &text)
		}
		for _, want := range []string{"WRONGPASS", "READONLY", "connection refused"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s is not said:\n%s", want, &text)
			}
		}
		text.Reset()
		s.rejoin()
		if !strings.Contains(text.String(), `failures=6 causes="WRONGPASS: 2, READONLY: 2, dial tcp #.#.#.#:#: connection refused: 2"`) {
			t.Errorf("at the end:\n%s", &text)
		}
	}
}

// TestCausesAreBounded: an outage of ever new texts is not remembered without end.
func TestCausesAreBounded(t *testing.T) {
	var c storeCauses
	fresh := 0
	for i := range mostCauses + 5 {
		if c.note(errors.New(strings.Repeat("x", i+1))) {
			fresh++
		}
	}
	if fresh != mostCauses || c.tries != mostCauses+5 {
		t.Errorf("%d causes of %d tries", fresh, c.tries)
	}
}
