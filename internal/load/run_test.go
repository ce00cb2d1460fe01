package load

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// scenario is one run against a gateway inside a synctest bubble, where waiting takes no time.
type scenario struct {
	cfg    Config
	setUp  func(g *gateway)
	ctx    func(context.Context) (context.Context, context.CancelFunc)
	alter  func([]row) []row // changes the rows that the store shows
	broken func() error      // the store's error
}

// result is the outcome of a scenario.
type result struct {
	report   Report
	err      error
	out      string
	progress string
	gateway  *gateway
}

func (s scenario) run(t *testing.T, check func(t *testing.T, r result)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g, stop := serve(t)
		defer stop()
		if s.setUp != nil {
			s.setUp(g)
		}
		ctx := t.Context()
		if s.ctx != nil {
			var cancel context.CancelFunc
			ctx, cancel = s.ctx(ctx)
			defer cancel()
		}
		var out, progress bytes.Buffer
		runner := New(s.cfg, &out, &progress)
		runner.dial = g.dial
		runner.open = func(string) (store, error) {
			return &rows{err: s.broken, read: func() []row {
				if s.alter != nil {
					return s.alter(g.stored())
				}
				return g.stored()
			}}, nil
		}
		report, err := runner.Run(ctx)
		check(t, result{report: report, err: err, out: out.String(), progress: progress.String(), gateway: g})
	})
}

func (r result) mustPass(t *testing.T) {
	t.Helper()
	if r.err != nil {
		t.Fatalf("run: %v", r.err)
	}
	if !r.report.OK() {
		t.Fatalf("not OK:\n%s", r.out)
	}
}

func TestRunWithoutFaults(t *testing.T) {
	for name, cfg := range map[string]Config{
		"single": {Events: 500, Verify: true},
		"bulk":   {Events: 2500, Bulk: 100, EventSize: 1400, Verify: true},
		"gzip":   {Events: 300, Bulk: 7, Gzip: true, Verify: true},
		"uneven": {Events: 101, Bulk: 25, Connections: 3, Verify: true},
		"repeat": {Events: 200, Repeat: 1, Verify: true},
	} {
		t.Run(name, func(t *testing.T) {
			scenario{cfg: cfg}.run(t, func(t *testing.T, r result) {
				r.mustPass(t)
				want := int64(cfg.Events)
				v := r.report.Verify
				if r.report.Sent != want || r.report.Accepted != want || v.Stored != want || v.Rows != want {
					t.Errorf("sent %d, accepted %d, stored %d, rows %d; want %d each", r.report.Sent, r.report.Accepted, v.Stored, v.Rows, want)
				}
				if cfg.Repeat == 1 && r.report.Repeated != want {
					t.Errorf("repeated %d, want %d", r.report.Repeated, want)
				}
				last := r.out[strings.LastIndexByte(strings.TrimSpace(r.out), '\n')+1:]
				if !strings.HasPrefix(last, "verified: ") || !strings.HasSuffix(last, "0 missing, 0 doubled, 0 altered, 0 foreign\n") {
					t.Errorf("last line %q", last)
				}
			})
		})
	}
}

func TestRetryAfterPausesAllConnections(t *testing.T) {
	for name, status := range map[string]int{"rate limited": 429, "unavailable": 503} {
		t.Run(name, func(t *testing.T) {
			var refused time.Time
			s := scenario{cfg: Config{Events: 2000, Rate: 100, Connections: 8, Verify: true}, setUp: func(g *gateway) {
				g.fault = func(n int, w http.ResponseWriter, _ *http.Request, _ []json.RawMessage) bool {
					if n != 500 {
						return false
					}
					refused = time.Now()
					refuse(w, status, 60)
					return true
				}
			}}
			s.run(t, func(t *testing.T, r result) {
				r.mustPass(t)
				for _, at := range r.gateway.requests {
					if at.After(refused) && at.Before(refused.Add(60*time.Second)) {
						t.Fatalf("a request %v after Retry-After: 60", at.Sub(refused))
					}
				}
				if r.report.Retried != 1 || r.report.PausedSeconds < 60 || r.report.PausedSeconds > 61 {
					t.Errorf("retried %d, paused %.1f s", r.report.Retried, r.report.PausedSeconds)
				}
				if r.report.Seconds < 79 || r.report.Seconds > 82 {
					t.Errorf("took %.1f s, want 20 s and the pause", r.report.Seconds)
				}
				if r.report.Latency.Max > 1000 {
					t.Errorf("latency %.0f ms counts the pause that the gateway asked for", r.report.Latency.Max)
				}
			})
		})
	}
}

func TestSameBytesAgainAfterAReset(t *testing.T) {
	for name, bulk := range map[string]int{"single": 1, "bulk": 20} {
		t.Run(name, func(t *testing.T) {
			s := scenario{cfg: Config{Events: 200, Bulk: bulk, Connections: 4, Verify: true}, setUp: func(g *gateway) {
				g.fault = func(n int, w http.ResponseWriter, _ *http.Request, events []json.RawMessage) bool {
					switch n % 5 {
					case 0: // stored, but the answer is lost
						g.keep(events)
						drop(t, w)
					case 1: // neither stored nor answered
						drop(t, w)
					case 2: // stored, but answered as unavailable
						g.keep(events)
						refuse(w, 503, 0)
					default:
						return false
					}
					return true
				}
			}}
			s.run(t, func(t *testing.T, r result) {
				r.mustPass(t)
				if r.report.ByStatus["reset"] == 0 || r.report.ByStatus["503"] == 0 || r.report.Retried == 0 {
					t.Errorf("by status %v, retried %d", r.report.ByStatus, r.report.Retried)
				}
			})
		})
	}
}

// A gateway that dies and returns, and one that never answers in time.
func TestRidesThroughAnOutage(t *testing.T) {
	s := scenario{cfg: Config{Events: 3000, Rate: 100, Timeout: 5 * time.Second, Verify: true}, setUp: func(g *gateway) {
		start := time.Now()
		dead := func() bool { d := time.Since(start); return d > 10*time.Second && d < 40*time.Second }
		g.down = dead
		g.fault = func(n int, w http.ResponseWriter, r *http.Request, events []json.RawMessage) bool {
			if n == 100 {
				g.keep(events)
				<-r.Context().Done() // until the sender's deadline
				return true
			}
			if dead() {
				drop(t, w)
				return true
			}
			return false
		}
	}}
	s.run(t, func(t *testing.T, r result) {
		r.mustPass(t)
		if by := r.report.ByStatus; by["unreachable"] == 0 || by["timeout"] != 1 {
			t.Errorf("by status %v", by)
		}
		if r.report.Latency.Max < 10_000 {
			t.Errorf("latency of at most %.0f ms hides the outage from the schedule", r.report.Latency.Max)
		}
	})
}

func TestBulkRetriesOnlyItsRanges(t *testing.T) {
	s := scenario{cfg: Config{Events: 10, Bulk: 10, Connections: 1, Verify: true}, setUp: func(g *gateway) {
		g.fault = func(n int, w http.ResponseWriter, _ *http.Request, events []json.RawMessage) bool {
			switch n {
			case 1:
				g.keep(events[:3])
				g.keep(events[4:7])
				bulk(w, 202, 6, 4, `[{"index":3,"retryable":true},{"index":7,"retryable":true},{"index":8,"retryable":true},{"index":9,"retryable":true}]`, "[[3,3],[7,9]]")
			case 2:
				if len(events) != 4 {
					g.t.Errorf("%d events sent again, want 4", len(events))
				}
				bulk(w, 503, 0, 4, `[{"index":0,"retryable":true},{"index":1,"retryable":true},{"index":2,"retryable":true},{"index":3,"retryable":true}]`, "[[0,3]]")
			default:
				return false
			}
			return true
		}
	}}
	s.run(t, func(t *testing.T, r result) {
		r.mustPass(t)
		if r.report.Requests != 3 || r.report.Retried != 8 || r.report.Accepted != 10 {
			t.Errorf("requests %d, retried %d, accepted %d", r.report.Requests, r.report.Retried, r.report.Accepted)
		}
	})
}

func TestStopsAtOnceWhenPointless(t *testing.T) {
	t.Run("unknown key", func(t *testing.T) {
		scenario{cfg: Config{Key: "wrong", Events: 1000}}.run(t, func(t *testing.T, r result) {
			if r.err == nil || !strings.Contains(r.err.Error(), "--key") || r.out != "" {
				t.Errorf("error %v, output %q", r.err, r.out)
			}
			if n := len(r.gateway.requests); n > 16 {
				t.Errorf("%d requests", n)
			}
		})
	})
	t.Run("nobody there", func(t *testing.T) {
		s := scenario{cfg: Config{URL: "http://gateway.example:1"}, setUp: func(g *gateway) { g.down = func() bool { return true } }}
		s.run(t, func(t *testing.T, r result) {
			if r.err == nil || !strings.Contains(r.err.Error(), "http://gateway.example:1") {
				t.Errorf("error %v", r.err)
			}
			if strings.Count(r.progress, "waiting for") != 1 {
				t.Errorf("progress %q", r.progress)
			}
		})
	})
	t.Run("settings", func(t *testing.T) {
		_, err := New(Config{Bulk: 10_001, Repeat: 2, URL: "gopher://x"}, nil, nil).Run(t.Context())
		for _, flag := range []string{"--bulk", "--repeat", "--url"} {
			if err == nil || !strings.Contains(err.Error(), flag) {
				t.Errorf("%v does not name %s", err, flag)
			}
		}
	})
	t.Run("no rows to read", func(t *testing.T) {
		s := scenario{cfg: Config{Events: 10, Verify: true}, broken: func() error { return os.ErrDeadlineExceeded }}
		s.run(t, func(t *testing.T, r result) {
			if r.err == nil || len(r.gateway.requests) != 0 {
				t.Errorf("error %v after %d requests", r.err, len(r.gateway.requests))
			}
		})
	})
}

func TestWaitsForAGatewayThatStarts(t *testing.T) {
	s := scenario{cfg: Config{Events: 50}, setUp: func(g *gateway) {
		start := time.Now()
		g.down = func() bool { return time.Since(start) < 8*time.Second }
	}}
	s.run(t, func(t *testing.T, r result) { r.mustPass(t) })
}

func TestGivesUp(t *testing.T) {
	s := scenario{cfg: Config{Events: 1_000_000, Bulk: 10, Connections: 2, Verify: true}, setUp: func(g *gateway) {
		g.fault = func(n int, w http.ResponseWriter, _ *http.Request, _ []json.RawMessage) bool {
			if n > 5 {
				refuse(w, 503, 1)
			}
			return n > 5
		}
	}}
	s.run(t, func(t *testing.T, r result) {
		if r.err != nil || r.report.OK() || r.report.Unacknowledged != 20 || r.report.Accepted != 50 {
			t.Errorf("error %v, report %+v", r.err, r.report)
		}
		if !strings.Contains(r.out, "FAILED: 20 unacknowledged") {
			t.Errorf("output %s", r.out)
		}
	})
}

func TestInterrupted(t *testing.T) {
	s := scenario{
		cfg: Config{Duration: time.Hour, Rate: 50, Verify: true},
		ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 10*time.Second)
		},
		setUp: func(g *gateway) {
			g.fault = func(n int, _ http.ResponseWriter, r *http.Request, _ []json.RawMessage) bool {
				if n == 200 { // hangs forever: the run cuts it off, and that is no fault
					<-r.Context().Done()
				}
				return n == 200
			}
		},
	}
	s.run(t, func(t *testing.T, r result) {
		r.mustPass(t)
		if n := r.report.Verify.Stored; !r.report.Interrupted || n < 490 || n > 501 || r.report.Unacknowledged != 1 {
			t.Errorf("interrupted %t, stored %d, unacknowledged %d", r.report.Interrupted, n, r.report.Unacknowledged)
		}
	})
}

func TestDuration(t *testing.T) {
	s := scenario{cfg: Config{Duration: 10 * time.Second, Rate: 1000, Bulk: 10}}
	s.run(t, func(t *testing.T, r result) {
		r.mustPass(t)
		if r.report.Accepted != 10_000 {
			t.Errorf("accepted %d, want 10 s at 1000 a second", r.report.Accepted)
		}
		if !strings.Contains(r.progress, "acknowledged") {
			t.Errorf("progress %q", r.progress)
		}
	})
}

func TestJSONIsTheOnlyOutput(t *testing.T) {
	scenario{cfg: Config{Duration: 20 * time.Second, Rate: 10, JSON: true, Verify: true}}.run(t, func(t *testing.T, r result) {
		r.mustPass(t)
		var doc map[string]any
		if err := json.Unmarshal([]byte(r.out), &doc); err != nil || r.progress != "" {
			t.Fatalf("error %v, progress %q, output %s", err, r.progress, r.out)
		}
		for _, key := range []string{"sent", "accepted", "events_per_second", "latency_ms", "by_status", "verify", "ok"} {
			if _, ok := doc[key]; !ok {
				t.Errorf("no %s in %s", key, r.out)
			}
		}
	})
}

func TestLedgerFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	s := scenario{cfg: Config{Events: 20, Ledger: path, Connections: 1}, setUp: func(g *gateway) {
		g.fault = func(n int, w http.ResponseWriter, _ *http.Request, _ []json.RawMessage) bool {
			if n == 3 {
				refuse(w, 400, 0)
			}
			return n == 3
		}
	}}
	s.run(t, func(t *testing.T, r result) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := bytes.Count(text, []byte("\tacknowledged\t")), bytes.Count(text, []byte("\trejected\t")); a != 19 || b != 1 {
			t.Errorf("%d acknowledged, %d rejected:\n%s", a, b, text)
		}
		if r.report.OK() || r.report.Rejected != 1 || len(r.report.Examples) != 1 {
			t.Errorf("a refused event does not fail the run: %+v", r.report)
		}
	})
}
