//go:build linux || darwin

package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// role is a variable of the environment. It makes the test program play a process that a test kills.
const role = "EMBEDDED_TEST_ROLE"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "clickhouse" {
		pretendServer()
	}
	Main()
	switch os.Getenv(role) {
	case "":
	case "broker":
		exit(playBroker())
	case "engine":
		exit(playEngine())
	}
	goleak.VerifyTestMain(m)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// running is a broker or an engine that begin started.
type running struct {
	stop context.CancelFunc
	done chan error
}

// begin runs a broker or an engine until the test ends or stop is called, and waits until it is ready.
func begin(t *testing.T, ready <-chan struct{}, run func(context.Context) error) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{stop: cancel, done: make(chan error, 1)}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		r.done <- run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-finished
	})
	select {
	case <-ready:
	case err := <-r.done:
		require.NoError(t, err)
		t.Fatal("ended before it was ready")
	}
	return r
}

// end stops the run and returns the result of Run.
func (r *running) end() error {
	r.stop()
	return <-r.done
}

// briefly returns a context for a Run that should fail. If it does not fail, the test fails instead of hanging.
func briefly(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// testLog returns a logger that writes to the test's output.
func testLog(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 10*time.Millisecond, what)
}
