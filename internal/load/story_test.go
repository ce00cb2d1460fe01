package load

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRealisticRequests: events without an id go under an Idempotency-Key and are sent again as a whole; the time sent
// of events of wrong clocks is in X-Sent-At; all others are sent again one by one.
func TestRealisticRequests(t *testing.T) {
	t.Parallel()
	type request struct {
		key, sentAt string
		events      []json.RawMessage
	}
	var requests []request
	s := scenario{cfg: Config{Events: 4000, Connections: 1, Contents: Contents{Realistic: true, Seed: 3}}}
	s.setUp = func(g *gateway) {
		g.fault = func(n int, w http.ResponseWriter, r *http.Request, events []json.RawMessage) bool {
			requests = append(requests, request{r.Header.Get(headerKey), r.Header.Get(headerSentAt), events})
			if len(events) < 2 || n%2 == 0 {
				bulk(w, 202, len(events), 0, "[]", "[]")
				return true
			}
			last := strconv.Itoa(len(events) - 1)
			bulk(w, 202, len(events)-1, 1, `[{"index":`+last+`,"code":"unavailable","retryable":true}]`, `[[`+last+`,`+last+`]]`)
			return true
		}
	}
	s.run(t, func(t *testing.T, r result) {
		r.mustPass(t)
		assert.EqualValues(t, 4000, r.report.Accepted)
		midnight := time.Now().UTC().Truncate(24 * time.Hour)
		assert.Equal(t, midnight.Format(time.RFC3339), r.report.Until)
		keyed, skewed := 0, 0
		bodies := map[string]int{}
		for _, request := range requests {
			for _, raw := range request.events {
				assert.Equal(t, request.key == "", strings.Contains(string(raw), `"event_id"`), "%s", raw)
			}
			if request.sentAt != "" {
				skewed++
				millis, err := strconv.ParseInt(request.sentAt, 10, 64)
				require.NoError(t, err)
				assert.Greater(t, time.Since(time.UnixMilli(millis)).Abs(), 5*time.Minute)
			}
			if request.key != "" {
				keyed++
				if before, again := bodies[request.key]; again {
					assert.Equal(t, before, len(request.events), "the whole request again")
				}
				bodies[request.key] = len(request.events)
			}
		}
		assert.Greater(t, keyed, 10)
		assert.Greater(t, keyed, len(bodies), "some were sent again")
		assert.Positive(t, skewed)
	})
}

// TestRealisticSettings: each limit, at the limit and one beyond.
func TestRealisticSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Bulk: 1280, Contents: Contents{Realistic: true}}, ""},
		{Config{Bulk: 1281, Contents: Contents{Realistic: true}}, "--bulk: must be at most 1280"},
		{Config{Contents: Contents{Realistic: true, Days: maxDays}}, ""},
		{Config{Contents: Contents{Realistic: true, Days: maxDays + 1}}, "--days"},
		{Config{Contents: Contents{Realistic: true, Days: -1}}, "--days"},
		{Config{Contents: Contents{Realistic: true, Until: "2026-11-28T00:00:00+01:00"}}, ""},
		{Config{Contents: Contents{Realistic: true, Until: "yesterday"}}, "--until"},
	} {
		err := c.cfg.Validate()
		if c.want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, c.want)
		}
	}
}

// TestWrite: the same seed and period give the same file.
func TestWrite(t *testing.T) {
	t.Parallel()
	var files [2]strings.Builder
	for i := range files {
		cfg := Config{Events: 3000, Contents: Contents{
			Realistic: true, Seed: 9, Until: "2026-11-28T00:00:00Z", Write: "-",
		}}
		report, err := New(cfg, &files[i], nil).Run(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 3000, report.Sent)
	}
	assert.Equal(t, files[0].String(), files[1].String())
	assert.Equal(t, 3000, strings.Count(files[0].String(), "\n"))
}
