package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker/brokertest"
	"sluice/internal/event"
)

// produceSentry gets the answers to Sentry's clients that need no limit and no outage.
func produceSentry(s *served) {
	for _, path := range []string{pathEnvelope, pathStore} {
		for _, r := range []request{
			{body: sentryEnvelope(1), noKey: true},
			{body: sentryEnvelope(1), header: map[string]string{"X-API-Key": "other"}},
			{body: ""},
			{body: "{"},
			{body: "{}\n{\"type\":\"event\"}\n7"},
			{body: sentryEnvelope(1), header: map[string]string{"Content-Encoding": "lzma"}},
			{body: strings.Repeat(" ", 6<<20)},
			{body: `{"message":"x"}` + "\n"},
		} {
			r.path = path
			s.do(r)
		}
	}
}

const limitedNow = ":error;transaction;log_item;span;feedback:key"

// TestSentryRateLimits: a client learns for how long to keep its events to itself, with the last event that passes,
// with a part that does not, and with a request that does not.
func TestSentryRateLimits(t *testing.T) {
	t.Parallel()
	for n, c := range map[int]struct {
		status, kept int
		wait         string
	}{
		2: {200, 2, ""}, 3: {200, 3, "20"}, 4: {200, 3, "20"}, 5: {200, 3, "40"},
	} {
		s := serve(t, withProjects(t, limited(3, "60s")))
		got := s.envelope(sentryLogs(n))
		assert.Equal(t, c.status, got.status, got.text)
		assert.Len(t, s.producer.Stored(), c.kept)
		want := ""
		if c.wait != "" {
			want = c.wait + limitedNow
		}
		assert.Equal(t, want, got.header.Get("X-Sentry-Rate-Limits"), n)
		assert.Empty(t, got.header.Get("Retry-After"))
		assert.NotEmpty(t, got.header.Get("RateLimit"))
		if n == 2 {
			continue
		}
		for _, path := range []string{pathEnvelope, pathStore} {
			got = s.do(request{path: path, body: sentryEnvelope(1)})
			assert.Equal(t, http.StatusTooManyRequests, got.status)
			assert.Equal(t, "20"+limitedNow, got.header.Get("X-Sentry-Rate-Limits"))
			assert.Equal(t, "60", got.header.Get("Retry-After"))
			assert.Contains(t, got.text, `"detail":"`)
		}
		s.clock.advance(20 * time.Second)
		assert.Equal(t, 200, s.envelope(sentryEnvelope(1)).status)
	}
}

// TestSentryEventLimits: an event may have the size of a native one, and an envelope that of a bulk.
func TestSentryEventLimits(t *testing.T) {
	t.Parallel()
	const eventLimit, bulkLimit = 1000, 3000
	for _, off := range []int{-1, 0, 1} {
		s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes = eventLimit, bulkLimit })
		want, kept := 200, 1
		if off > 0 {
			want, kept = 413, 0
		}
		for _, r := range []request{
			{path: pathStore, body: eventOf(eventLimit + off)},
			{path: pathStore, body: eventOf(eventLimit+off) + strings.Repeat(" ", 100)},
			{path: pathEnvelope, body: "{}\n{\"type\":\"event\"}\n" + eventOf(eventLimit+off)},
			{path: pathEnvelope, body: lines("{}", fmt.Sprintf(`{"type":"event","length":%d}`, eventLimit+off), eventOf(eventLimit+off), "")},
			{path: pathEnvelope, body: "{}\n{\"type\":\"log\"}\n{\"items\":[" + eventOf(eventLimit+off) + "]}"},
		} {
			before := len(s.producer.Stored())
			got := s.do(r)
			assert.Equal(t, want, got.status, got.text)
			assert.Equal(t, kept, len(s.producer.Stored())-before)
			if off > 0 {
				assert.Equal(t, "max_event_bytes", got.body.Limit)
			}
		}
		before := len(s.producer.Stored())
		got := s.envelope("{}\n{\"type\":\"event\"}\n" + eventOf(eventLimit+off) + "\n{\"type\":\"event\"}\n{}")
		assert.Equal(t, 200, got.status)
		assert.Equal(t, kept+1, len(s.producer.Stored())-before)
		head := sentryEnvelope(1) + "{\"type\":\"attachment\"}\n"
		got = s.envelope(head + strings.Repeat("a", bulkLimit+off-len(head)))
		assert.Equal(t, want, got.status)
		if off > 0 {
			assert.Equal(t, "max_bulk_bytes", got.body.Limit)
		}
	}
}

// TestSentryManyEvents: an envelope has as many events as a bulk. What is beyond is refused, and counted.
func TestSentryManyEvents(t *testing.T) {
	t.Parallel()
	for _, off := range []int{-1, 0, 1, 1000} {
		s := serve(t)
		n := event.MaxBulkEvents + off
		got := s.envelope(sentryLogs(n))
		assert.Equal(t, 200, got.status, got.text)
		assert.Len(t, s.producer.Stored(), min(n, event.MaxBulkEvents))
		assert.InDelta(t, max(0, off), s.counter("sluice_gateway_events_rejected_total", "too_large"), 0)
	}
	s := serve(t)
	got := s.envelope("{}\n{\"type\":\"log\"}\n[" + strings.Repeat("7,", 2_000_000) + "7]")
	assert.Equal(t, 400, got.status)
	assert.InDelta(t, 2_000_001, s.counter("sluice_gateway_events_rejected_total", ""), 0)
}

// TestSentryWaitsForKafka: the clients drop what is answered 503. A request waits for twice as long as a native one,
// and does so while Kafka is known to be away.
func TestSentryWaitsForKafka(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = 3 * time.Second })
	s.producer.Down(brokertest.ErrDown)
	for s.single(`{"message":"x"}`).status != 503 {
		t.Fatal("kept while Kafka is away")
	}
	waitUntil(t, func() bool { _, away := s.publisher.Away(); return away })
	start := time.Now()
	answers := make(chan reply)
	go func() { answers <- s.envelope(sentryEnvelope(2)) }()
	for time.Since(start) < 3500*time.Millisecond {
		sleep(t.Context(), 100*time.Millisecond)
	}
	s.producer.Up()
	got := <-answers
	require.Equal(t, 200, got.status, got.text)
	assert.Len(t, s.producer.Stored(), 2)
	require.NoError(t, s.Live())

	s.producer.Failing(func() (bool, error) { return false, brokertest.ErrDown })
	start = time.Now()
	got = s.envelope(sentryEnvelope(1))
	assert.Equal(t, 503, got.status)
	assert.NotEmpty(t, got.header.Get("Retry-After"))
	assert.Empty(t, got.header.Get("X-Sentry-Rate-Limits"))
	assert.InDelta(t, 6, time.Since(start).Seconds(), 2)
	assert.Contains(t, got.text, `"detail":"`)
}

// TestSentrySpool: with a spool an outage costs Sentry's clients nothing.
func TestSentrySpool(t *testing.T) {
	t.Parallel()
	spool, metric := withSpool(t, t.TempDir())
	s := serve(t, spool)
	s.producer.Down(brokertest.ErrDown)
	for i := range 10 {
		got := s.envelope(fmt.Sprintf("{}\n{\"type\":\"event\"}\n{\"message\":\"event %d\"}", i))
		require.Equal(t, 200, got.status, got.text)
	}
	s.producer.Up()
	waitUntil(t, func() bool { return metric("spool_events") == 0 })
	assert.Len(t, s.producer.Stored(), 10)
	for _, r := range s.producer.Stored() {
		assert.Equal(t, "sentry", headerOf(r, "format"))
	}
}

// TestSentryPartNotAcknowledged: a 200 would acknowledge the events that Kafka did not take.
func TestSentryPartNotAcknowledged(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout, c.PartitionBy = time.Second, "event_id" })
	s.producer.FailingAt(func(p brokertest.Placed) (bool, error) {
		if p.Partition == 0 {
			return false, brokertest.ErrDown
		}
		return true, nil
	})
	got := s.envelope(sentryEnvelope(50))
	assert.Equal(t, 503, got.status, got.text)
	kept := len(s.producer.Stored())
	require.NotZero(t, kept)
	assert.InDelta(t, kept, s.counter("sluice_gateway_events_accepted_total", "sentry"), 0)
	assert.InDelta(t, 50-kept, s.counter("sluice_gateway_events_rejected_total", "unavailable"), 0)
	s.producer.FailingAt(nil)
	require.Equal(t, 200, s.envelope(sentryEnvelope(50)).status)
	ids := map[string]bool{}
	for _, r := range s.producer.Stored() {
		ids[headerOf(r, "event-id")] = true
	}
	assert.Len(t, ids, 50)
}

// TestSentryFromPages: a page may send, with a preflight or without, and read for how long to wait.
func TestSentryFromPages(t *testing.T) {
	t.Parallel()
	s := serve(t, twoShops(t))
	plain := request{
		path: pathEnvelope + "?sentry_version=7&sentry_key=" + testKey, body: sentryEnvelope(1), noKey: true,
		header: map[string]string{"Content-Type": "text/plain;charset=UTF-8"},
	}
	got := s.do(from(shop, plain))
	assert.Equal(t, 200, got.status, got.text)
	got.open(t, shop)
	got = s.do(from(evil, plain))
	assert.Equal(t, 403, got.status)
	assert.Contains(t, got.text, `"detail":"`)
	got.closed(t)
	preflight := s.do(from(shop, request{
		method: http.MethodOptions, path: pathEnvelope, noKey: true, header: map[string]string{
			"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-sentry-auth,content-type",
		},
	}))
	assert.Equal(t, 204, preflight.status)
	assert.Contains(t, preflight.header.Get("Access-Control-Allow-Headers"), "X-Sentry-Auth")
}

// TestSentryTime: the client's clock corrects the events' times, and the record has the request's trace.
func TestSentryTime(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	got := s.do(request{
		path: pathEnvelope, body: `{"sent_at":"2026-11-23T11:00:00.5Z"}` + sentryEnvelope(1)[2:],
		header: map[string]string{"Traceparent": trace},
	})
	require.Equal(t, 200, got.status)
	r := s.producer.Stored()[0]
	assert.Equal(t, fmt.Sprint(time.Date(2026, 11, 23, 11, 0, 0, 5e8, time.UTC).UnixMilli()), headerOf(r, "sent-at"))
	assert.Equal(t, trace, headerOf(r, "traceparent"))
}
