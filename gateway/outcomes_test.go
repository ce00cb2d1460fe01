package gateway

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker/brokertest"
	"sluice/internal/outcome"
)

// counts returns what the gateway has published of sluice.outcomes, as text: project protocol outcome reason events.
func (s *served) counts() map[string]int64 {
	s.t.Helper()
	largest := map[outcome.Row]int64{}
	for _, r := range s.producer.All() {
		format := ""
		for _, h := range r.Headers {
			if h.Key == "format" {
				format = string(h.Value)
			}
		}
		if format != outcome.Format {
			continue
		}
		rows, err := outcome.Decode(r.Value)
		require.NoError(s.t, err)
		for _, row := range rows {
			n := row.Events
			row.Events = 0
			largest[row] = max(largest[row], n)
		}
	}
	sums := map[string]int64{}
	for row, n := range largest {
		sums[fmt.Sprintf("%s %s %s %s", row.Project, row.Protocol, row.Outcome, row.Reason)] += n
	}
	return sums
}

// TestRefusalsArePublished: everything that the gateway refuses is counted, by the project of its key and by reason, and
// is on Kafka once the gateway has drained. What it accepts is not among it.
func TestRefusalsArePublished(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(7, "60s")))
	s.single(`{"message":"kept"}`)
	s.single(`{"message":1}`)
	s.single(`{`)
	s.do(request{path: pathEvents, body: `{"message":"x"}`, noKey: true})
	s.do(request{path: pathEvents, body: `{"message":"x"}`, header: map[string]string{"Content-Type": "image/png"}})
	// Four of the limit are used up, by one event and three refusals.
	s.bulkOf(events(8, func(i int) string {
		if i < 2 {
			return `{"level":"x"}`
		}
		return ""
	}))
	s.single(`{"message":"x"}`)
	require.NoError(t, s.stop())
	assert.Equal(t, map[string]int64{
		"demo native rejected invalid_event":          3,
		"demo native rejected malformed":              1,
		"demo native rejected unsupported_media_type": 1,
		" native rejected unauthorized":               1,
		"demo native rate_limited rate_limit":         4,
	}, s.counts())
}

// TestRefusalsArePublishedSoon: a gateway that is killed has lost what it refused in the last few seconds only.
func TestRefusalsArePublishedSoon(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ *Config, d *Deps) { d.countEvery = 10 * time.Millisecond })
	for n := range int64(3) {
		s.single(`{`)
		waitUntil(t, func() bool { return s.counts()["demo native rejected malformed"] == n+1 })
	}
	waitUntil(t, func() bool { return s.outcomes.Pending() == 0 })
}

// TestRefusalsWaitForKafka: while Kafka is away, counts stay in memory. A batch that Kafka took without saying so does
// no harm.
func TestRefusalsWaitForKafka(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ *Config, d *Deps) { d.countEvery = 5 * time.Millisecond })
	for _, end := range []struct {
		taken bool
		err   error
	}{{false, brokertest.ErrDown}, {true, brokertest.ErrLost}} {
		s.producer.Failing(func() (bool, error) { return end.taken, end.err })
		s.single(`{`)
		waitUntil(t, func() bool { return s.outcomes.Pending() > 0 })
		s.producer.Failing(nil)
		waitUntil(t, func() bool { return s.outcomes.Pending() == 0 })
	}
	require.NoError(t, s.stop())
	assert.Equal(t, map[string]int64{"demo native rejected malformed": 2}, s.counts())
}

// TestRefusalsGoToTheSpool: with a spool, counts are on the disk when the gateway has drained without Kafka, and the
// next gateway publishes them.
func TestRefusalsGoToTheSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	spooling := func(c *Config, _ *Deps) { c.SpoolDir, c.SpoolMaxBytes, c.SpoolMaxAge = dir, 64<<20, 24*time.Hour }
	s := serve(t, spooling)
	s.producer.Failing(func() (bool, error) { return false, brokertest.ErrDown })
	s.single(`{`)
	require.NoError(t, s.stop())
	assert.Empty(t, s.counts())
	next := serve(t, spooling)
	waitUntil(t, func() bool { return len(next.counts()) > 0 })
	assert.Equal(t, map[string]int64{"demo native rejected malformed": 1}, next.counts())
}

// TestClientsReportsArePublished: what Sentry's clients say they dropped is counted in words of closed lists, whatever
// the report says, beside what the gateway refused of theirs.
func TestClientsReportsArePublished(t *testing.T) {
	t.Parallel()
	s := serve(t)
	report := `{"discarded_events":[{"reason":"queue_overflow","category":"error","quantity":3},` +
		`{"reason":"made up","category":"' OR 1","quantity":2},{"reason":"before_send","category":"log_item","quantity":-4},` +
		`{"reason":"sample_rate","category":"span","quantity":5}]}`
	for range 2 { // a client never sends a report again: two are two
		s.do(request{path: "/api/1/envelope/", body: "{}\n{\"type\":\"client_report\"}\n" + report + "\n"})
	}
	s.do(request{path: "/api/1/store/", body: `{"message":`})
	require.NoError(t, s.stop())
	assert.Equal(t, map[string]int64{
		"demo sentry client_dropped queue_overflow": 6,
		"demo sentry client_dropped other":          4,
		"demo sentry client_dropped sample_rate":    10,
		"demo sentry rejected malformed":            1,
	}, s.counts())
}
