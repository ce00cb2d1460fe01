package gateway

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker/brokertest"
	"sluice/gateway/projects"
)

// withSpool gives the gateway a spool and returns its figures by name, or by name/label.
func withSpool(t *testing.T, dir string) (option, func(name string) float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	return func(c *Config, d *Deps) {
			c.SpoolDir, c.SpoolMaxBytes, c.SpoolMaxAge, c.RequestTimeout = dir, minSpoolBytes, time.Hour, time.Second
			d.Metrics = registry
		}, func(name string) float64 {
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			name, label, _ := strings.Cut(name, "/")
			for _, f := range families {
				for _, m := range f.GetMetric() {
					if f.GetName() == "sluice_gateway_"+name && (label == "" || m.GetLabel()[0].GetValue() == label) {
						return m.GetGauge().GetValue() + m.GetCounter().GetValue()
					}
				}
			}
			t.Fatalf("no metric %s", name)
			return 0
		}
}

// Over HTTP, from the outage to its end: 202 all along, and every event on the topic; then a full spool is a 503 that
// says when to come again.
func TestSpoolOverHTTP(t *testing.T) {
	t.Parallel()
	spool, metric := withSpool(t, t.TempDir())
	s := serve(t, spool)
	s.producer.Down(brokertest.ErrDown)
	var want []string
	send := func(n int) {
		t.Helper()
		for range n {
			body := fmt.Sprintf(`{"message":"event %d"}`, len(want))
			if got := s.single(body); got.status != http.StatusAccepted || got.body.EventID == "" {
				t.Fatalf("%s: %d %s", body, got.status, got.text)
			}
			want = append(want, body)
		}
	}
	send(30)
	if got := s.bulkOf(events(50, func(i int) string { return fmt.Sprintf(`{"message":"bulk %d"}`, i) })); got.status != http.StatusAccepted || got.body.Accepted != 50 {
		t.Fatalf("%d %s", got.status, got.text)
	}
	for i := range 50 {
		want = append(want, fmt.Sprintf(`{"message":"bulk %d"}`, i))
	}
	s.clock.advance(time.Minute)
	if n := metric("spool_events"); n != 80 {
		t.Errorf("%v events in the spool", n)
	}
	if n := metric("spool_bytes"); n < 80*100 {
		t.Errorf("%v bytes in the spool", n)
	}
	if n := metric("spool_oldest_seconds"); n != 60 {
		t.Errorf("the oldest has waited for %v s", n)
	}
	if n := metric("events_accepted_total/native"); n != 80 {
		t.Errorf("%v accepted", n)
	}
	s.clock.advance(time.Hour)
	refused := s.single(`{"message":"too late"}`)
	if after, err := strconv.Atoi(refused.header.Get("Retry-After")); refused.status != http.StatusServiceUnavailable || err != nil || after < 1 || refused.body.EventID == "" {
		t.Errorf("an old spool: %d %v %s", refused.status, refused.header, refused.text)
	}
	s.producer.Up()
	waitUntil(t, func() bool { return metric("spool_events") == 0 })
	send(1)
	if got := slices.DeleteFunc(s.producer.Values(), func(v string) bool { return strings.Contains(v, "too late") }); !slices.Equal(got, want) {
		t.Errorf("%d of %d came, or in another order", len(got), len(want))
	}
	for _, r := range s.producer.Stored() {
		if len(r.Headers) < 4 {
			t.Fatalf("a record lost its headers: %v", r.Headers)
		}
	}
	// The last file goes after its last event is acknowledged.
	waitUntil(t, func() bool { return metric("spool_bytes")+metric("spool_oldest_seconds") == 0 })
}

// A drain ends at once although Kafka is away, and what was kept is sent by the next gateway on the directory.
func TestSpoolAcrossADrain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spool, _ := withSpool(t, dir)
	s := serve(t, spool)
	s.producer.Down(brokertest.ErrDown)
	if got := s.single(`{"message":"kept"}`); got.status != http.StatusAccepted {
		t.Fatalf("%d %s", got.status, got.text)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if n := len(s.producer.Values()); n != 0 {
		t.Fatalf("%d events came while kafka was away", n)
	}
	spool, metric := withSpool(t, dir)
	next := serve(t, spool)
	waitUntil(t, func() bool { return metric("spool_events") == 0 })
	if got := next.producer.Values(); !slices.Equal(got, []string{`{"message":"kept"}`}) {
		t.Errorf("came: %q", got)
	}
}

// Somebody else has the directory: Run says so and serves nobody.
func TestSpoolTakenAtTheStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spool, _ := withSpool(t, dir)
	serve(t, spool)
	spool, _ = withSpool(t, dir)
	cfg := Config{HTTPAddr: "127.0.0.1:0", HTTPIdleTimeout: time.Minute, MaxEventBytes: 1 << 20, MaxBulkBytes: 5 << 20, MaxHeaderBytes: 16 << 10, MaxInflightBytes: 64 << 20, KafkaCompression: "none"}
	deps := Deps{Log: slog.New(slog.DiscardHandler), Projects: projects.One("demo", testKey), Producer: &brokertest.Memory{}}
	spool(&cfg, &deps)
	g, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := g.Run(t.Context(), l); err == nil || !strings.Contains(err.Error(), "another gateway") {
		t.Errorf("got %v", err)
	}
}

// Over HTTP: 503 instead of a 202 that is none, and 202 again when the directory is back.
func TestSpoolPlaceLostOverHTTP(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	spool, metric := withSpool(t, dir)
	s := serve(t, spool)
	s.producer.Down(brokertest.ErrDown)
	for i := range 20 {
		if got := s.single(fmt.Sprintf(`{"message":"%d"}`, i)); got.status != http.StatusAccepted {
			t.Fatalf("%d %s", got.status, got.text)
		}
	}
	require.NoError(t, os.RemoveAll(dir))
	for range 5 {
		if got := s.single(`{"message":"lost"}`); got.status != http.StatusServiceUnavailable || got.body.Retryable == nil || !*got.body.Retryable {
			t.Fatalf("%d %s", got.status, got.text)
		}
	}
	require.NoError(t, os.MkdirAll(dir, 0o750))
	s.clock.advance(time.Second) // the spool takes nothing for that long after a failure
	waitUntil(t, func() bool { return s.single(`{"message":"kept"}`).status == http.StatusAccepted })
	s.producer.Up()
	waitUntil(t, func() bool { return metric("spool_events") == 0 })
	values := s.producer.Values()
	if !slices.Contains(values, `{"message":"kept"}`) {
		t.Error("what was kept afterwards did not come")
	}
	// What replay had open already comes although it is deleted.
	came := len(slices.DeleteFunc(values, func(v string) bool { return strings.Contains(v, "kept") || strings.Contains(v, "lost") }))
	if lost := metric("spool_lost_events_total"); came+int(lost) != 20 {
		t.Errorf("%d came and %v are counted as lost, of 20", came, lost)
	}
}
