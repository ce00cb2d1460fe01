package gateway

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRateLimitSingles(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(100, "60s")))
	for i := 1; i <= 100; i++ {
		got := s.single(`{"message":"x"}`)
		require.Equal(t, 202, got.status, "event %d: %s", i, got.text)
		if i == 100 {
			assert.Equal(t, `"events";r=0;t=60`, got.header.Get("RateLimit"))
		}
	}
	got := s.single(`{"message":"x"}`)
	require.Equal(t, 429, got.status, "event 101: %s", got.text)
	assert.Equal(t, "60", got.header.Get("Retry-After"))
	assert.Equal(t, "rate_limited", got.body.Code)
	assert.True(t, *got.body.Retryable)
	assert.Equal(t, `"events";q=100;w=60`, got.header.Get("RateLimit-Policy"))
	assert.Equal(t, `"events";r=0;t=60`, got.header.Get("RateLimit"))
	s.clock.advance(60 * time.Second)
	got = s.bulkOf(events(100, nil))
	require.Equal(t, 202, got.status, "a window later: %.300s", got.text)
	assert.Equal(t, 100, got.body.Accepted)
}

func TestRateLimitBulkKeepsWhatFits(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(100, "60s")))
	require.Equal(t, 80, s.bulkOf(events(80, nil)).body.Accepted)
	got := s.bulkOf(events(50, nil))
	require.Equal(t, 202, got.status, got.text)
	assert.Equal(t, 20, got.body.Accepted)
	assert.Equal(t, 30, got.body.Rejected)
	assert.Equal(t, [][2]int{{20, 49}}, got.body.Retry)
	assert.Equal(t, "60", got.header.Get("Retry-After"))
	got = s.bulkOf(events(3, nil))
	assert.Equal(t, 429, got.status, got.text)
	assert.Equal(t, "60", got.header.Get("Retry-After"))
	assert.Len(t, s.producer.Stored(), 100, "events on Kafka")
}

func TestWhatIsCharged(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(10, "60s")))
	for _, step := range []struct {
		name string
		r    request
		left int
	}{
		{"a valid event", request{path: pathEvents, body: `{"message":"x"}`}, 9},
		{"an invalid one: the request", request{path: pathEvents, body: `{}`}, 8},
		{"a malformed bulk: the request", request{path: pathBulk, body: `[`}, 7},
		{"a bulk without a valid event: the request", request{path: pathBulk, body: `[{},{}]`}, 6},
		{"the valid ones of a bulk", request{path: pathBulk, body: `[{},{"message":"x"},{"message":"y"}]`}, 4},
		{"no key: nobody", request{path: pathEvents, body: `{"message":"x"}`, noKey: true}, 4},
		{"unsupported type: the request", request{
			path: pathEvents, body: `x`, header: map[string]string{"Content-Type": "text/css"},
		}, 3},
	} {
		s.do(step.r)
		limit := s.projects.Load().Find([]byte(testKey)).Limit
		require.Equal(t, step.left, limit.Quota(s.clock.now()).Remaining, step.name)
	}
}
