package gateway

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/ratelimit/redistest"
)

// storeMetric returns a metric of a gateway's limit store. Its labels are added up.
func (s *served) storeMetric(name string) float64 {
	s.t.Helper()
	return s.counter("sluice_gateway_limit_store_"+name, "")
}

// sharing makes a gateway share its limits through r. The gateway goes by the real clock, as the store does.
func sharing(r *redistest.Server) option {
	return func(c *Config, d *Deps) { c.LimitStore, d.Now = r.URL(), nil }
}

// patiently makes a gateway wait longer for the store, because other tests may keep the machine busy.
func patiently(_ *Config, d *Deps) { d.storeWait = 10 * time.Second }

// twoGateways returns gateways that share one limit. Its window is so long that next to nothing refills during a test.
func twoGateways(t *testing.T, r *redistest.Server, events int, options ...option) (a, b *served) {
	t.Helper()
	options = append(options, withProjects(t, limited(events, "10h")), sharing(r), patiently)
	a = serve(t, options...)
	options = append(options, withProjects(t, limited(events, "10h")))
	b = serve(t, options...)
	waitUntil(t, func() bool { return a.storeMetric("gateways") == 2 && b.storeMetric("gateways") == 2 })
	return a, b
}

// TestGatewaysShareALimit: answers and header fields are those of one limit, at both gateways.
func TestGatewaysShareALimit(t *testing.T) {
	t.Parallel()
	a, b := twoGateways(t, redistest.Start(t), 100)
	for i := range 40 {
		got := []*served{a, b}[i%2].single(`{"message":"x"}`)
		require.Equal(t, 202, got.status, "event %d: %s", i, got.text)
	}
	got := a.bulkOf(events(50, nil))
	require.Equal(t, 202, got.status, "a bulk: %.200s", got.text)
	require.Equal(t, 50, got.body.Accepted)
	require.Regexp(t, `^"events";r=10;t=32`, got.header.Get("RateLimit"))
	got = b.do(request{path: pathBulk + "?atomic=true", body: events(11, nil)})
	require.Equal(t, 429, got.status, "an atomic bulk that does not fit: %.200s", got.text)
	require.Zero(t, got.body.Accepted)
	require.Equal(t, "36000", got.header.Get("Retry-After"))
	got = b.bulkOf(events(15, nil))
	require.Equal(t, 202, got.status, "a bulk that fits in part: %.300s", got.text)
	require.Equal(t, 10, got.body.Accepted)
	require.Equal(t, [][2]int{{10, 14}}, got.body.Retry)
	for name, s := range map[string]*served{"a": a, "b": b} {
		got := s.single(`{"message":"x"}`)
		assert.Equal(t, 429, got.status, "%s: event 101", name)
		assert.Equal(t, "36000", got.header.Get("Retry-After"), name)
		assert.Regexp(t, `^"events";r=0;t=3`, got.header.Get("RateLimit"), name)
		assert.Equal(t, `"events";q=100;w=36000`, got.header.Get("RateLimit-Policy"), name)
	}
	assert.Equal(t, 100, len(a.producer.Stored())+len(b.producer.Stored()), "events on Kafka")
	got = b.do(request{path: pathBulk + "?atomic=true", body: events(101, nil)})
	assert.Contains(t, []int{429, 413}, got.status, "larger than the limit")
	assert.EqualValues(t, 1, a.storeMetric("up"))
	assert.Zero(t, a.storeMetric("errors_total"))
}

// TestGatewaysRefund: events that Kafka did not take at one gateway can be sent to the other.
func TestGatewaysRefund(t *testing.T) {
	t.Parallel()
	briefly := func(c *Config, _ *Deps) { c.RequestTimeout = 3 * time.Second }
	a, b := twoGateways(t, redistest.Start(t), 50, briefly)
	a.producer.Failing(func() (bool, error) { return false, broker.ErrRefused })
	require.Zero(t, a.bulkOf(events(50, nil)).body.Accepted)
	kept := 0
	waitUntil(t, func() bool { kept += b.bulkOf(events(50-kept, nil)).body.Accepted; return kept == 50 })
	assert.Equal(t, 429, b.single(`{"message":"x"}`).status, "event 51")
}

// TestReloadKeepsTheSharedLimit: a reload of the projects file gives nobody a fresh burst. A changed limit is a new
// one.
func TestReloadKeepsTheSharedLimit(t *testing.T) {
	t.Parallel()
	a, b := twoGateways(t, redistest.Start(t), 20)
	require.Equal(t, 20, a.bulkOf(events(20, nil)).body.Accepted)
	write := func(text string) {
		t.Helper()
		for _, s := range []*served{a, b} {
			before := s.projects.Load()
			require.NoError(t, os.WriteFile(s.cfg.ProjectsFile, []byte(text), 0o600))
			waitUntil(t, func() bool { return s.projects.Load() != before })
		}
	}
	write(limited(20, "10h") + "\n# changed\n")
	require.Equal(t, 429, a.single(`{"message":"x"}`).status, "after a reload")
	require.Equal(t, 429, b.single(`{"message":"x"}`).status, "after a reload")
	write(limited(21, "10h"))
	assert.Equal(t, 15, a.bulkOf(events(15, nil)).body.Accepted, "of 21")
	assert.Equal(t, 6, b.bulkOf(events(15, nil)).body.Accepted, "of 21")
}

// TestGatewaysWithoutTheStore: while the store is away, each gateway applies its share and its metrics tell. It comes
// back by itself.
func TestGatewaysWithoutTheStore(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	a, b := twoGateways(t, r, 100)
	r.Kill()
	waitUntil(t, func() bool { return a.storeMetric("up") == 0 && b.storeMetric("up") == 0 })
	require.Equal(t, 50, a.bulkOf(events(100, nil)).body.Accepted, "by its share")
	require.Equal(t, 50, b.bulkOf(events(100, nil)).body.Accepted, "by its share")
	got := a.single(`{"message":"x"}`)
	assert.Equal(t, 429, got.status)
	assert.Equal(t, "36000", got.header.Get("Retry-After"))
	assert.Regexp(t, `^"events";r=0;`, got.header.Get("RateLimit"))
	assert.NotZero(t, a.storeMetric("errors_total"))
	r.Start()
	waitUntil(t, func() bool { return a.storeMetric("up") == 1 && b.storeMetric("up") == 1 })
	assert.Equal(t, 429, a.single(`{"message":"x"}`).status, "no fresh burst")
	assert.Equal(t, 429, b.single(`{"message":"x"}`).status, "no fresh burst")
	assert.NoError(t, a.stop())
	waitUntil(t, func() bool { return b.storeMetric("gateways") == 1 })
}
