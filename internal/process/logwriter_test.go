package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// gate is a log reader that can stop reading.
type gate struct {
	open chan struct{} // closed when the reader continues
	mu   sync.Mutex
	text bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(b)
}

func (g *gate) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

func TestLogNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &gate{open: make(chan struct{})}
		var registry Service
		err := serve(t.Context(), "program", Log{Level: "info", Format: "text"}, reader, func(_ context.Context, s Service) error {
			registry = s
			s.Log.Info("the first line, which the reader has in hand")
			synctest.Wait()
			for i := range 4 * logRoom / 100 { // more than fits, with different messages
				s.Log.Info(fmt.Sprintf("line %d", i), "filling", strings.Repeat("x", 100)) //nolint:sloglint // the test needs many different messages
			}
			close(reader.open)
			synctest.Wait()
			s.Log.Info("the reader is back")
			return errors.New("how the service ended")
		})
		require.EqualError(t, err, "how the service ended")
		require.Contains(t, reader.String(), "the first line")
		require.Contains(t, reader.String(), "the reader is back")
		var lost int
		for line := range strings.Lines(reader.String()) {
			if _, rest, ok := strings.Cut(line, "the reader of the log is too slow\" lines="); ok {
				_, err := fmt.Sscan(rest, &lost)
				require.NoError(t, err)
			}
		}
		kept := strings.Count(reader.String(), "filling")
		require.Positive(t, lost)
		require.Equal(t, 4*logRoom/100, kept+lost, "each line is written or counted")
		expected := fmt.Sprintf("# HELP sluice_log_lines_dropped_total Log lines dropped because the log's reader was too slow or the write failed.\n"+
			"# TYPE sluice_log_lines_dropped_total counter\nsluice_log_lines_dropped_total %d\n", lost)
		require.NoError(t, testutil.GatherAndCompare(registry.Metrics, strings.NewReader(expected), "sluice_log_lines_dropped_total"))
	})
}

func TestLogRoom(t *testing.T) {
	for size, lost := range map[int]int{logRoom - 1: 0, logRoom: 0, logRoom + 1: 1} {
		w := newLogWriter(io.Discard, Log{}.lostLine)
		_, err := w.Write(bytes.Repeat([]byte("x"), size-1))
		require.NoError(t, err)
		_, err = w.Write([]byte("\n"))
		require.NoError(t, err)
		require.InDelta(t, lost, w.lines(), 0, "%d bytes", size)
	}
}

func TestServeDoesNotWaitForAStuckLogAtItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &gate{open: make(chan struct{})}
		began := time.Now()
		require.NoError(t, serve(t.Context(), "program", Log{Level: "info"}, reader, func(_ context.Context, s Service) error {
			s.Log.Info("a line")
			return nil
		}))
		require.Equal(t, logFlush, time.Since(began))
		close(reader.open)
	})
}

func TestServeWritesItsLastLine(t *testing.T) {
	for range 100 {
		reader := &gate{open: make(chan struct{})}
		close(reader.open)
		require.NoError(t, serve(t.Context(), "program", Log{Level: "info"}, reader, func(_ context.Context, s Service) error {
			s.Log.Info("stopped")
			return nil
		}))
		require.Contains(t, reader.String(), "stopped")
	}
}

// refusing is a destination without a reader.
type refusing struct{}

func (refusing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestLinesThatCannotBeWrittenAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLogWriter(refusing{}, Log{}.lostLine)
		ctx, stop := context.WithCancel(t.Context())
		go w.run(ctx)
		slog.New(Log{Level: "info"}.handler(w)).Info("a line")
		w.flush(logFlush)
		require.InDelta(t, 1, w.lines(), 0)
		stop()
		synctest.Wait()
	})
}

func TestLinesComeWholeAndInOrder(t *testing.T) {
	var text bytes.Buffer
	w := newLogWriter(&text, Log{}.lostLine)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.run(ctx) })
	var want strings.Builder
	for i := range 2000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		_, _ = w.Write([]byte(line))
		if i%50 == 0 {
			w.flush(time.Minute) // swaps the buffers
		}
	}
	w.flush(time.Minute)
	stop()
	running.Wait()
	require.Equal(t, want.String(), text.String())
}
