package refusals

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"sluice/internal/testlog"
)

// TestRefusalsAreSummedUp: however many come, a kind has one line at once and one for each interval in which more came.
func TestRefusalsAreSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log testlog.JSON
		r := New(log.Logger(slog.LevelInfo))
		done := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		go func() { defer close(done); r.Run(ctx) }()
		kind := Kind{"bulk", 429, "rate_limited", "demo"}
		for i := range 1000 {
			r.Note(kind, 2, fmt.Appendf(nil, "id-%d", i))
		}
		if lines := log.Take(t, "requests refused"); len(lines) != 1 || lines[0]["request_id"] != "id-0" {
			t.Errorf("at first: %v", lines)
		}
		time.Sleep(interval + time.Second)
		synctest.Wait()
		lines := log.Take(t, "requests refused")
		if len(lines) != 1 || lines[0]["requests"] != 999.0 || lines[0]["events"] != 1998.0 || lines[0]["request_id"] != "id-999" {
			t.Errorf("then: %v", lines)
		}
		r.Note(kind, 0, []byte("again"))
		if lines := log.Take(t, "requests refused"); len(lines) != 0 {
			t.Errorf("while it lasts: %v", lines)
		}
		time.Sleep(2 * interval)
		synctest.Wait()
		if lines := log.Take(t, "requests refused"); len(lines) != 1 || len(r.kinds) != 0 {
			t.Errorf("in the end: %v, %d kinds kept", lines, len(r.kinds))
		}
		r.Note(kind, 0, []byte("new"))
		if lines := log.Take(t, "requests refused"); len(lines) != 1 {
			t.Errorf("after a quiet time: %v", lines)
		}
		stop()
		<-done
	})
}

// TestRefusalsOfManyProjects: the number of kinds is bounded.
func TestRefusalsOfManyProjects(t *testing.T) {
	var log testlog.JSON
	r := New(log.Logger(slog.LevelInfo))
	for i := range 10 * maxKinds {
		r.Note(Kind{"events", 429, "rate_limited", fmt.Sprint("project-", i)}, 0, nil)
	}
	if lines := log.Take(t, "requests refused"); len(lines) != maxKinds+1 {
		t.Errorf("%d lines", len(lines))
	}
	r.writeSums()
	lines := log.Take(t, "requests refused")
	if len(lines) != 1 || lines[0]["project"] != nil || lines[0]["requests"] != float64(9*maxKinds-1) {
		t.Errorf("got %v", lines)
	}
}
