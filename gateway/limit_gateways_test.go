package gateway

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sluice/gateway/broker"
	"sluice/gateway/ratelimit/redistest"
)

func value(m prometheus.Metric) float64 {
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		return -1
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}

// figure is a metric of a gateway, its labels added up.
func (s *served) figure(name string) (sum float64) {
	s.t.Helper()
	families, err := s.deps.Metrics.(*prometheus.Registry).Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// sharing makes a gateway share its limits through r; it goes by the real clock, as the store does.
func sharing(r *redistest.Server) option {
	return func(c *Config, d *Deps) { c.LimitStore, d.Now = r.URL(), nil }
}

// patiently lets a gateway wait longer for the store than it would: the machine may be busy with other tests.
func patiently(_ *Config, d *Deps) { d.storeWait = 10 * time.Second }

// twoGateways share one limit of so long a window that next to nothing comes back during a test.
func twoGateways(t *testing.T, r *redistest.Server, events int) (a, b *served) {
	t.Helper()
	a = serve(t, withProjects(t, limited(events, "10h")), sharing(r), patiently)
	b = serve(t, withProjects(t, limited(events, "10h")), sharing(r), patiently)
	waitUntil(t, func() bool {
		return a.figure("sluice_gateway_limit_store_gateways") == 2 && b.figure("sluice_gateway_limit_store_gateways") == 2
	})
	return a, b
}

// TestGatewaysShareALimit: answers and header fields are those of one limit, whichever gateway gives them.
func TestGatewaysShareALimit(t *testing.T) {
	a, b := twoGateways(t, redistest.Start(t), 100)
	for i := range 40 {
		s := []*served{a, b}[i%2]
		if got := s.single(`{"message":"x"}`); got.status != 202 {
			t.Fatalf("event %d: got %d %s", i, got.status, got.text)
		}
	}
	got := a.bulkOf(events(50, nil))
	if got.status != 202 || got.body.Accepted != 50 || !strings.HasPrefix(got.header.Get("RateLimit"), `"events";r=10;t=32`) {
		t.Fatalf("a bulk: %d %v %.200s", got.status, got.header, got.text)
	}
	atomic := request{path: pathBulk + "?atomic=true", body: events(11, nil)}
	if got := b.do(atomic); got.status != 429 || got.body.Accepted != 0 || got.header.Get("Retry-After") != "36000" {
		t.Fatalf("an atomic bulk that does not fit: %d %v %.200s", got.status, got.header, got.text)
	}
	if got := b.bulkOf(events(15, nil)); got.status != 202 || got.body.Accepted != 10 || len(got.body.Retry) != 1 || got.body.Retry[0] != [2]int{10, 14} {
		t.Fatalf("a bulk that fits in part: %d %.300s", got.status, got.text)
	}
	for name, s := range map[string]*served{"a": a, "b": b} {
		got := s.single(`{"message":"x"}`)
		if got.status != 429 || got.header.Get("Retry-After") != "36000" || !strings.HasPrefix(got.header.Get("RateLimit"), `"events";r=0;t=3`) || got.header.Get("RateLimit-Policy") != `"events";q=100;w=36000` {
			t.Errorf("%s: event 101: %d %v", name, got.status, got.header)
		}
	}
	if n := len(a.producer.Stored()) + len(b.producer.Stored()); n != 100 {
		t.Errorf("%d events were kept", n)
	}
	if got := b.do(request{path: pathBulk + "?atomic=true", body: events(101, nil)}); got.status != 429 && got.status != 413 {
		t.Errorf("larger than the limit: %d", got.status)
	}
	if a.figure("sluice_gateway_limit_store_up") != 1 || a.figure("sluice_gateway_limit_store_errors_total") != 0 {
		t.Error("the store is not up, or failed")
	}
}

// TestGatewaysRefund: what Kafka did not keep at one gateway can be sent to the other.
func TestGatewaysRefund(t *testing.T) {
	a, b := twoGateways(t, redistest.Start(t), 50)
	a.producer.Failing(func() (bool, error) { return false, broker.ErrRefused })
	if got := a.bulkOf(events(50, nil)); got.body.Accepted != 0 {
		t.Fatalf("got %d %.300s", got.status, got.text)
	}
	kept := 0
	waitUntil(t, func() bool { kept += b.bulkOf(events(50-kept, nil)).body.Accepted; return kept == 50 })
	if got := b.single(`{"message":"x"}`); got.status != 429 {
		t.Errorf("event 51: %d", got.status)
	}
}

// TestReloadKeepsTheSharedLimit: a projects file that is read again gives nobody a fresh burst; a limit that was changed is a
// new one.
func TestReloadKeepsTheSharedLimit(t *testing.T) {
	a, b := twoGateways(t, redistest.Start(t), 20)
	if got := a.bulkOf(events(20, nil)); got.body.Accepted != 20 {
		t.Fatalf("got %d %.300s", got.status, got.text)
	}
	write := func(text string) {
		t.Helper()
		for _, s := range []*served{a, b} {
			before := s.projects.Load()
			if err := os.WriteFile(s.cfg.ProjectsFile, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, func() bool { return s.projects.Load() != before })
		}
	}
	write(limited(20, "10h") + "\n# changed\n")
	if x, y := a.single(`{"message":"x"}`).status, b.single(`{"message":"x"}`).status; x != 429 || y != 429 {
		t.Fatalf("after a reload: %d, %d", x, y)
	}
	write(limited(21, "10h"))
	if x, y := a.bulkOf(events(15, nil)).body.Accepted, b.bulkOf(events(15, nil)).body.Accepted; x != 15 || y != 6 {
		t.Errorf("after a change to 21: %d and %d", x, y)
	}
}

// TestGatewaysWithoutTheStore: with the store gone each gateway goes on with its share, says so in a figure, and is back by
// itself.
func TestGatewaysWithoutTheStore(t *testing.T) {
	r := redistest.Start(t)
	a, b := twoGateways(t, r, 100)
	r.Kill()
	waitUntil(t, func() bool {
		return a.figure("sluice_gateway_limit_store_up") == 0 && b.figure("sluice_gateway_limit_store_up") == 0
	})
	if x, y := a.bulkOf(events(100, nil)), b.bulkOf(events(100, nil)); x.body.Accepted != 50 || y.body.Accepted != 50 {
		t.Fatalf("%d and %d passed by the shares", x.body.Accepted, y.body.Accepted)
	}
	if got := a.single(`{"message":"x"}`); got.status != 429 || got.header.Get("Retry-After") != "36000" || !strings.HasPrefix(got.header.Get("RateLimit"), `"events";r=0;`) {
		t.Errorf("got %d %v", got.status, got.header)
	}
	if a.figure("sluice_gateway_limit_store_errors_total") == 0 {
		t.Error("no error was counted")
	}
	r.Start()
	waitUntil(t, func() bool {
		return a.figure("sluice_gateway_limit_store_up") == 1 && b.figure("sluice_gateway_limit_store_up") == 1
	})
	if x, y := a.single(`{"message":"x"}`).status, b.single(`{"message":"x"}`).status; x != 429 || y != 429 {
		t.Errorf("a fresh burst when the store was back: %d, %d", x, y)
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	waitUntil(t, func() bool { return b.figure("sluice_gateway_limit_store_gateways") == 1 })
}
