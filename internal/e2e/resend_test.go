package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway"
	"sluice/internal/kafkaconn"
)

// startInProcess starts a gateway in this process, with a clock of the scenario's.
func (p *pipeline) startInProcess(now func() time.Time, projects string) {
	p.t.Helper()
	g, err := gateway.New(gateway.Config{
		HTTPAddr: "127.0.0.1:0", ProjectsFile: projects, RequestTimeout: 10 * time.Second, HTTPIdleTimeout: time.Minute,
		MaxEventBytes: 1 << 20, MaxBulkBytes: 5 << 20, MaxHeaderBytes: 16 << 10, MaxInflightBytes: 64 << 20, PartitionBy: "none",
	}, gateway.Deps{
		Kafka:   kafkaconn.Config{Brokers: strings.Split(lab.brokers, ","), Topic: p.name, DeadTopic: p.name + ".dead"},
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), DrainTimeout: 10 * time.Second, Now: now,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	l, err := g.Listen()
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx, l) }()
	p.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("gateway: %v", err)
		}
	})
	p.url = "http://" + l.Addr().String()
}

// TestResendADayLater: the same events again, a day later by the gateway's clock, are the same rows: one each, the first
// copy's, and the views count once.
func TestResendADayLater(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 3)
	p.startConsumer()
	start := time.Now().UTC().Truncate(time.Millisecond)
	v7 := uuid.Must(uuid.NewV7()).String()
	v7WithTime := uuid.Must(uuid.NewV7()).String()
	v4, v4WithTime := uuid.NewString(), uuid.NewString()
	ids := []string{v7, v7WithTime, v4, v4WithTime}
	body := func(copy string) string {
		stamp := start.Add(-time.Minute).Format(time.RFC3339Nano)
		return strings.Join([]string{
			fmt.Sprintf(`{"event_id":%q,"message":"same","copy":%q}`, v7, copy),
			fmt.Sprintf(`{"event_id":%q,"message":"same","timestamp":%q,"copy":%q}`, v7WithTime, stamp, copy),
			fmt.Sprintf(`{"event_id":%q,"message":"same","copy":%q}`, v4, copy),
			fmt.Sprintf(`{"event_id":%q,"message":"same","timestamp":%q,"copy":%q}`, v4WithTime, stamp, copy),
		}, "\n")
	}
	// Two gateways, as a client's retry may reach another one; the second lives a day later.
	for i, now := range []time.Time{start, start.Add(24 * time.Hour)} {
		p.startInProcess(func() time.Time { return now }, p.projects)
		if a := p.post("/api/v1/events/bulk", "application/x-ndjson", body([]string{"first", "second"}[i])); a.status != 202 || a.Accepted != 4 {
			t.Fatalf("copy %d: got %+v", i, a)
		}
	}
	p.eventually("both copies consumed", func() bool { return p.lag() == 0 })
	p.rows(uint64(len(ids)))
	for _, id := range ids {
		if n := p.scalar("SELECT count() FROM events WHERE event_id = '" + id + "' AND payload LIKE '%\"first\"%'"); n != 1 {
			t.Errorf("%s: %d rows of the first copy", id, n)
		}
	}
	if n := p.scalar("SELECT sum(events) FROM events_per_minute"); n != 4 {
		t.Errorf("events_per_minute counts %d", n)
	}
	if n := p.scalar("SELECT sum(events) FROM issues"); n != 4 {
		t.Errorf("issues counts %d", n)
	}
	if n := p.scalar("SELECT count() FROM issues"); n != 1 {
		t.Errorf("%d issues", n)
	}
}

// TestRateLimitWithTheClockHeld: what passes is the limit, and nothing of the rest is stored.
func TestRateLimitWithTheClockHeld(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 3)
	p.startConsumer()
	limited := p.limitedProjects(100, "60s")
	now := time.Now()
	p.startInProcess(func() time.Time { return now }, limited)
	for i := range 80 {
		if a := p.post("/api/v1/events", "application/json", `{"message":"x"}`); a.status != 202 {
			t.Fatalf("event %d: got %+v", i+1, a)
		}
	}
	lines := strings.Repeat(`{"message":"x"}`+"\n", 50)
	a := p.post("/api/v1/events/bulk", "application/x-ndjson", lines)
	if a.status != 202 || a.Accepted != 20 || len(a.Retry) != 1 || a.Retry[0] != [2]int{20, 49} || a.retryAfter != "60" {
		t.Fatalf("got %+v", a)
	}
	if a := p.post("/api/v1/events", "application/json", `{"message":"x"}`); a.status != 429 || a.retryAfter != "60" || a.Code != "rate_limited" {
		t.Fatalf("got %+v", a)
	}
	p.rows(100)
}
