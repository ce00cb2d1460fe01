package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ingest"
	"sluice/gateway/ratelimit/redistest"
)

// askLimits asks for the limits of the test's key.
func (s *served) askLimits() (ingest.Limits, reply) {
	s.t.Helper()
	got := s.do(request{path: pathLimits, method: http.MethodGet})
	var limits ingest.Limits
	require.NoError(s.t, json.Unmarshal([]byte(got.text), &limits), got.text)
	return limits, got
}

// produceLimits gets every answer of the route.
func produceLimits(t *testing.T) {
	t.Helper()
	s := serve(t, withProjects(t, limited(3, "60s")+"    origins: [\"https://shop.example\"]\n"), func(c *Config, _ *Deps) { c.FailedKeysPerMinute = 1 })
	get := func(noKey bool, header map[string]string) int {
		return s.do(request{path: pathLimits, method: http.MethodGet, noKey: noKey, header: header}).status
	}
	assert.Equal(t, 200, get(false, map[string]string{"Origin": "https://shop.example"}))
	assert.Equal(t, 400, get(false, map[string]string{"X-API-Key": "other"}))
	assert.Equal(t, 401, get(true, nil))
	assert.Equal(t, 401, get(true, map[string]string{"X-API-Key": "other"}))
	assert.Equal(t, 429, get(true, map[string]string{"X-API-Key": "other"}))
	assert.Equal(t, 431, get(false, map[string]string{"X-Long": strings.Repeat("a", 17_000)}))
	assert.Equal(t, 403, get(false, map[string]string{"Origin": "https://evil.example"}))
}

// TestLimits: the answer says what is left, costs nothing, and comes when nothing is left.
func TestLimits(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(3, "60s")))
	want := ingest.Limits{
		Project: "demo", MaxEventBytes: 1 << 20, MaxBulkBytes: 5 << 20, MaxBulkEvents: 10_000,
		RateLimit: &ingest.RateLimit{Events: 3, WindowSeconds: 60, Remaining: 3, RetryAfter: "window"},
	}
	for n := range 4 {
		for range 3 {
			limits, got := s.askLimits()
			assert.Equal(t, 200, got.status)
			assert.Equal(t, want, limits)
			assert.Equal(t, `"events";q=3;w=60`, got.header.Get("RateLimit-Policy"))
			assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
		}
		s.single(`{"message":"x"}`)
		want.RateLimit.Remaining, want.RateLimit.ResetSeconds = max(0, 2-n), min(60, 20*(n+1))
	}
	s.clock.advance(20 * time.Second)
	limits, _ := s.askLimits()
	assert.Equal(t, 1, limits.RateLimit.Remaining)
	assert.Equal(t, 40, limits.RateLimit.ResetSeconds)
	assert.Zero(t, s.counter("sluice_gateway_events_rejected_total", "unauthorized"))
	require.NoError(t, s.stop())
	assert.Equal(t, map[string]int64{"demo native rate_limited rate_limit": 1}, s.counts(), "questions are not counted")
}

// TestLimitsWithoutALimit: a project without a rate limit has none in its answer, and a HEAD has no body.
func TestLimitsWithoutALimit(t *testing.T) {
	t.Parallel()
	s := serve(t)
	limits, got := s.askLimits()
	assert.Nil(t, limits.RateLimit)
	assert.Empty(t, got.header.Get("RateLimit"))
	assert.Empty(t, s.do(request{path: pathLimits, method: http.MethodHead}).text)
	assert.Equal(t, 405, s.do(request{path: pathLimits}).status)
}

// TestLimitsOfTheStore: what another gateway used is not left here.
func TestLimitsOfTheStore(t *testing.T) {
	t.Parallel()
	one, other := twoGateways(t, redistest.Start(t), 10)
	require.Equal(t, 202, one.bulkOf(events(9, nil)).status)
	require.Equal(t, 202, other.single(`{"message":"x"}`).status)
	waitUntil(t, func() bool {
		limits, _ := other.askLimits()
		return limits.RateLimit.Remaining == 0
	})
}
