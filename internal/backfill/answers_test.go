package backfill

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func reply(w http.ResponseWriter, status int, after, body string) {
	if after != "" {
		w.Header().Set("Retry-After", after)
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

// TestRetries: what the gateway asks to send again is sent again, as it says, and nothing else.
func TestRetries(t *testing.T) {
	t.Parallel()
	j := newJob(t, lines(100))
	j.target.Connections = 1
	var again []int
	j.gateway.answer = func(n int, w http.ResponseWriter, events []json.RawMessage) bool {
		switch n {
		case 1:
			reply(w, 503, "1", `{"code":"unavailable","error":"No."}`)
		case 2: // of ten, three again
			j.gateway.keep("", events[:5])
			j.gateway.keep("", events[8:])
			reply(w, 202, "1", `{"status":"accepted","accepted":7,"duplicates":0,"rejected":3,"retry":[[5,7]],"errors":[
				{"index":5,"retryable":true},{"index":6,"retryable":true},{"index":7,"retryable":true}]}`)
		case 3:
			again = append(again, len(events))
			reply(w, 429, "1", `{"code":"rate_limited","error":"No."}`)
		case 4:
			again = append(again, len(events))
			return false
		case 6:
			reply(w, 500, "", "oops")
		default:
			return false
		}
		return true
	}
	start := time.Now()
	f := j.imported(t)
	assert.Equal(t, []int{3, 3}, again)
	assert.GreaterOrEqual(t, time.Since(start), 3*time.Second, "Retry-After is obeyed")
	assert.Equal(t, counts{Accepted: 100}, f.counts)
	assert.Equal(t, 100, j.gateway.copies(), "nothing was sent twice")
}

// TestRefusals: events that the gateway refuses are reported by line, however the refusal is worded.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const refused = `{"status":"accepted","accepted":%d,"duplicates":0,"rejected":%d,"retry":[],"errors":[%s]}`
	bad := func(raw json.RawMessage) bool {
		_, message, _ := strings.Cut(string(raw), `"message"`)
		return strings.Contains(message, "7")
	}
	for name, answer := range map[string]func(g *gateway, w http.ResponseWriter, events []json.RawMessage){
		"named": func(g *gateway, w http.ResponseWriter, events []json.RawMessage) {
			var named []string
			for i, raw := range events {
				if bad(raw) {
					named = append(named, fmt.Sprintf(`{"index":%d,"code":"invalid_event","error":"Seven."}`, i))
				} else {
					g.keep("", events[i:i+1])
				}
			}
			status := 202
			if len(named) == len(events) {
				status = 400
			}
			reply(w, status, "", fmt.Sprintf(refused, len(events)-len(named), len(named), strings.Join(named, ",")))
		},
		"as a whole": func(g *gateway, w http.ResponseWriter, events []json.RawMessage) {
			for _, raw := range events {
				if bad(raw) {
					reply(w, 413, "", `{"code":"too_large","error":"Seven."}`)
					return
				}
			}
			g.keep("", events)
			accept(w, len(events))
		},
		"some unnamed": func(g *gateway, w http.ResponseWriter, events []json.RawMessage) {
			n, first := 0, ""
			for i, raw := range events {
				if !bad(raw) {
					g.keep("", events[i:i+1])
				} else if n++; n == 1 {
					first = fmt.Sprintf(`{"index":%d,"code":"invalid_event","error":"Seven."}`, i)
				}
			}
			reply(w, 202, "", fmt.Sprintf(refused, len(events)-n, n, first))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJob(t, lines(100))
			j.target.Bulk = 50
			j.gateway.answer = func(_ int, w http.ResponseWriter, events []json.RawMessage) bool {
				answer(j.gateway, w, events)
				return true
			}
			f := j.imported(t)
			assert.Equal(t, counts{Accepted: 81, Rejected: 19}, f.counts)
			assert.Len(t, j.gateway.kept(), 81)
			require.Len(t, f.Examples, maxListed)
			assert.Contains(t, f.Examples[0], "line 7: ")
			assert.Contains(t, f.Examples[0], "Seven.")
		})
	}
}

// TestHopeless: what no further request can change ends the import at once.
func TestHopeless(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{401: "check --key", 403: "refuses this key", 404: "check --url", 405: "check --url", 302: "like a gateway", 200: "like a gateway"} {
		j := newJob(t, lines(50))
		j.gateway.answer = func(_ int, w http.ResponseWriter, _ []json.RawMessage) bool {
			reply(w, status, "", "{}")
			return true
		}
		require.ErrorContains(t, j.run(t).err, want)
		assert.LessOrEqual(t, j.gateway.count(), 4)
	}
	j := newJob(t, lines(5))
	j.gateway.Close()
	j.target.Connect = time.Millisecond
	require.ErrorContains(t, j.run(t).err, "no gateway at")
}

// TestDryRun sends nothing and keeps no progress.
func TestDryRun(t *testing.T) {
	t.Parallel()
	j := newJob(t, lines(100)+"bad\n")
	j.cfg.DryRun = true
	for range 2 {
		f := j.imported(t)
		assert.Equal(t, counts{Accepted: 100, Rejected: 1}, f.counts)
	}
	assert.Zero(t, j.gateway.count())
}
