package consumer

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sluice/internal/embedded"
)

// TestMain runs the tests beside one ClickHouse engine, which the first test that asks for it starts, and looks at the end for
// what they left running.
func TestMain(m *testing.M) {
	embedded.Main()
	code := m.Run()
	if err := stopEngine(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the engine:", err)
		code = 1
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// waitUntil waits for a condition, not for a time.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(40 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not in 40 s: %s", what)
		}
	}
}
