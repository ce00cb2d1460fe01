package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// writeFile writes a file for one test and returns its path.
func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestPartsStopInTheOppositeOrder(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	var p parts
	var stopped []string
	for _, name := range []string{"first", "second", "third"} {
		p.start(name, fail, func(ctx context.Context) error {
			<-ctx.Done()
			stopped = append(stopped, name)
			return nil
		})
	}
	require.NoError(t, p.stop())
	require.Equal(t, []string{"third", "second", "first"}, stopped)
	require.NoError(t, ctx.Err(), "a part that was told to stop has not failed")
	require.NoError(t, p.stop(), "twice is no harm")
}

func TestPartThatFailsTakesThePipelineWithIt(t *testing.T) {
	broken := errors.New("broken")
	for _, tc := range []struct {
		returns error
		want    string
	}{{broken, "broken"}, {nil, "kafka ended by itself"}} {
		ctx, fail := context.WithCancelCause(t.Context())
		var p parts
		p.start("kafka", fail, func(context.Context) error { return tc.returns })
		<-ctx.Done()
		require.EqualError(t, context.Cause(ctx), tc.want)
		require.NoError(t, p.stop(), "said once, as the cause")
	}
}

func TestErrorOfAStopIsReturned(t *testing.T) {
	_, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	broken := errors.New("drain: not finished")
	var p parts
	p.start("gateway", fail, func(ctx context.Context) error {
		<-ctx.Done()
		return broken
	})
	require.ErrorIs(t, p.stop(), broken)
}

func TestWaitFor(t *testing.T) {
	var asked atomic.Int32
	require.NoError(t, waitFor(t.Context(), func() error {
		if asked.Add(1) < 3 {
			return errors.New("starting")
		}
		return nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, waitFor(ctx, func() error { return errors.New("starting") }), context.Canceled)
}

func TestLogWriter(t *testing.T) {
	var out bytes.Buffer
	w := logWriter{slog.New(slog.NewTextHandler(&out, nil)), "topics"}
	n, err := w.Write([]byte("one\ntwo\n"))
	require.NoError(t, err)
	require.Equal(t, 8, n)
	require.Contains(t, out.String(), "part=topics text=one")
	require.Contains(t, out.String(), "part=topics text=two")
}
