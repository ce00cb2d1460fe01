package gateway

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"sluice/gateway/broker"
	"sluice/gateway/ingest"
	"sluice/internal/testlog"
)

// TestRefusalsAreLogged: the first refusal of a kind logs a line at once, which names the project and the code, and
// holds nothing of the request but its id.
func TestRefusalsAreLogged(t *testing.T) {
	t.Parallel()
	var log testlog.JSON
	s := serve(t, withProjects(t, limited(3, "60s")), func(c *Config, d *Deps) {
		c.RequestTimeout, d.Log = time.Second, log.Logger(slog.LevelInfo)
	})
	id := map[string]string{"X-Request-Id": "r-1"}
	for _, c := range []struct {
		r    request
		want string
	}{
		{request{path: pathEvents, body: `{"secret":1}`, noKey: true, header: id}, "INFO events 401 unauthorized <nil> <nil>"},
		{request{path: pathEvents, body: `{"secret":1}`, header: id}, "INFO events 400 invalid_event demo <nil>"},
		{request{path: "/secret?secret=1", body: `{}`, header: id}, "INFO other 404 not_found <nil> <nil>"},
		{request{path: pathBulk + "?secret", body: `[{"message":"x"},{"secret":1},{"secret":2}]`, header: id}, "INFO bulk 202 invalid_event demo 2"},
		{request{path: pathBulk, body: `[{"message":"x"},{"message":"y"}]`, header: id}, "INFO bulk 202 rate_limited demo 1"},
		{request{path: pathBulk, body: `[{"message":"x"}]`, header: id}, "INFO bulk 429 rate_limited demo <nil>"},
		{request{path: pathEvents, body: `{}`, header: map[string]string{"Secret": strings.Repeat("s", 17_000)}}, "INFO other 431 too_large <nil> <nil>"},
	} {
		got := s.do(c.r)
		lines := log.Take(t, "requests refused")
		if len(lines) != 1 {
			t.Fatalf("%s: got %d, %d lines %v", c.want, got.status, len(lines), lines)
		}
		f := lines[0]
		if line := fmt.Sprintf("%v %v %v %v %v %v", f["level"], f["route"], f["status"], f["code"], f["project"], f["events"]); line != c.want {
			t.Errorf("got %s, want %s", line, c.want)
		}
		if f["requests"] != 1.0 || f["request_id"] != got.header.Get("X-Request-Id") || strings.Contains(fmt.Sprint(f), "ecret") || strings.Contains(fmt.Sprint(f), testKey) {
			t.Errorf("got %v", f)
		}
	}
	s.clock.advance(time.Hour)
	s.producer.Failing(func() (bool, error) { return false, broker.ErrNotWritten })
	s.single(`{"message":"x"}`)
	if lines := log.Take(t, "requests refused"); len(lines) != 1 || lines[0]["level"] != "WARN" || lines[0]["code"] != "unavailable" {
		t.Errorf("got %v", lines)
	}
	s.single(`{"message":"x"}`)
	if lines := log.Take(t, "requests refused"); len(lines) != 0 {
		t.Errorf("the second of its kind: %v", lines)
	}
	s.producer.Failing(nil)
	if got := s.single(`{"message":"x"}`); got.status != 202 {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	if err := s.stop(); err != nil { // what was not summed up yet is logged in the end
		t.Fatal(err)
	}
	if lines := log.Take(t, "requests refused"); len(lines) != 1 || lines[0]["requests"] != 1.0 {
		t.Errorf("at the end: %v", lines)
	}
}

// TestDebugLogsEachRequest: at debug level accepted requests are logged too.
func TestDebugLogsEachRequest(t *testing.T) {
	t.Parallel()
	var log testlog.JSON
	s := serve(t, func(_ *Config, d *Deps) { d.Log = log.Logger(slog.LevelDebug) })
	for _, c := range []struct{ body, want string }{
		{`{"message":"secret"}`, "events 202  demo"}, {`{"message":1}`, "events 400 invalid_event demo"}, {`{"message":"secret"}`, "events 202  demo"},
	} {
		got := s.single(c.body)
		lines := log.Take(t, "request answered")
		if len(lines) != 1 {
			t.Fatalf("%d lines", len(lines))
		}
		f := lines[0]
		if line := fmt.Sprintf("%v %v %v %v", f["route"], f["status"], f["code"], f["project"]); line != c.want {
			t.Errorf("got %s, want %s", line, c.want)
		}
		if f["level"] != "DEBUG" || f["request_id"] != got.header.Get("X-Request-Id") || strings.Contains(fmt.Sprint(f), "secret") {
			t.Errorf("got %v", f)
		}
	}
}

// series returns the names of all series, each with its labels' values.
func (s *served) series() map[string]bool {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			out[name] = true
		}
	}
	return out
}

// TestCountersBeginAtZero: increase() misses the first value of a counter that appears with it.
func TestCountersBeginAtZero(t *testing.T) {
	t.Parallel()
	s := serve(t)
	before := s.series()
	for _, k := range ingest.Kinds() {
		if !before["sluice_gateway_events_rejected_total native "+k.Code()] {
			t.Errorf("no counter of events rejected as %s", k.Code())
		}
	}
	for _, want := range []string{"requests_total bulk 202", "requests_total events 503", "overload_total failed_keys", "spool_errors_total disk"} {
		if !before["sluice_gateway_"+want] {
			t.Errorf("no counter %s", want)
		}
	}
	produceRefusals(s)
	for name := range s.series() {
		if !before[name] {
			t.Errorf("%s appeared with its first value", name)
		}
	}
}

// produceRefusals gets some answers of each route.
func produceRefusals(s *served) {
	for _, path := range []string{pathEvents, pathBulk, pathOpenAPI, pathHealth, "/nowhere"} {
		for _, method := range []string{"GET", "POST", "OPTIONS", "DELETE"} {
			for _, body := range []string{"{", `{"message":"x"}`} {
				s.do(request{method: method, path: path, body: body})
				s.do(request{method: method, path: path, body: body, noKey: true})
				s.do(request{method: method, path: path, body: body, header: map[string]string{"Content-Type": "text/css"}})
			}
		}
	}
}
