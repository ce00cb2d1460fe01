package consumer

import (
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
)

// TestMain runs the tests beside one ClickHouse engine, and looks at the end for what they left running.
func TestMain(m *testing.M) { clickhousetest.Main(m) }

// waitUntil waits for a condition, not for a time.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not in a minute: %s", what)
		}
	}
}
