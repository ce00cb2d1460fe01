package process

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// summed logs through repeats into a buffer while f runs in a synctest bubble.
func summed(t *testing.T, level string, f func(log *slog.Logger, text *gate)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		text := &gate{open: make(chan struct{})}
		close(text.open)
		h := newRepeats(Log{Level: level}.handler(text))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); h.seen.run(ctx) }()
		f(slog.New(h), text)
		stop()
		<-done
	})
}

func TestRepeatedLinesAreSummedUp(t *testing.T) {
	summed(t, "info", func(log *slog.Logger, text *gate) {
		for i := range repeatMost + 1 {
			log.Warn("kafka is away", "try", i)
		}
		log.With("lane", 1).Warn("kafka is away", "try", 99)
		log.Warn("another message")
		log.Error("kafka is away")
		require.Equal(t, repeatMost+2, strings.Count(text.String(), "\n"), "the 25th and 26th are held back")
		<-time.After(repeatEvery + time.Second)
		require.Contains(t, text.String(), "lane=1 try=99 repeated=2", "the last one stands for those held back")
		require.Equal(t, repeatMost+3, strings.Count(text.String(), "\n"))

		before := len(text.String())
		log.Warn("kafka is away", "try", 100)
		require.Contains(t, text.String()[before:], "try=100", "counted anew")
	})
}

func TestRepeatsAtTheLimit(t *testing.T) {
	for n, lines := range map[int]int{repeatMost - 1: repeatMost - 1, repeatMost: repeatMost, repeatMost + 1: repeatMost} {
		summed(t, "info", func(log *slog.Logger, text *gate) {
			for range n {
				log.Info("a line")
			}
			require.Equal(t, lines, strings.Count(text.String(), "\n"))
		})
	}
}

func TestHeldLinesAreLoggedAtTheEnd(t *testing.T) {
	var text *gate
	summed(t, "info", func(log *slog.Logger, b *gate) {
		text = b
		for range repeatMost + 5 {
			log.Info("a line")
		}
		require.NotContains(t, b.String(), "repeated")
	})
	require.Contains(t, text.String(), "repeated=5")
}

func TestDebugLinesAreNotSummedUp(t *testing.T) {
	summed(t, "debug", func(log *slog.Logger, text *gate) {
		for range 3 * repeatMost {
			log.Debug("a request")
		}
		require.Equal(t, 3*repeatMost, strings.Count(text.String(), "\n"))
	})
}
