package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sluice/gateway/broker"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// jsonLog collects JSON log lines.
type jsonLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write is part of io.Writer.
func (l *jsonLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *jsonLog) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level}))
}

// lines are those with a message, without their times, and takes them away.
func (l *jsonLog) lines(t *testing.T, message string) (out []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["msg"] == message {
			delete(fields, "msg")
			delete(fields, "time")
			out = append(out, fields)
		}
	}
	l.text.Reset()
	return out
}

// TestRefusalsAreLogged: a line says who was refused what, at once, and has nothing of the request but its id.
func TestRefusalsAreLogged(t *testing.T) {
	var log jsonLog
	s := serve(t, withProjects(t, limited(3, "60s")), func(c *Config, d *Deps) {
		c.RequestTimeout, d.Log = time.Second, log.logger(slog.LevelInfo)
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
		lines := log.lines(t, "requests refused")
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
	if lines := log.lines(t, "requests refused"); len(lines) != 1 || lines[0]["level"] != "WARN" || lines[0]["code"] != "unavailable" {
		t.Errorf("got %v", lines)
	}
	s.single(`{"message":"x"}`)
	if lines := log.lines(t, "requests refused"); len(lines) != 0 {
		t.Errorf("the second of its kind: %v", lines)
	}
	s.producer.Failing(nil)
	if got := s.single(`{"message":"x"}`); got.status != 202 {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	if err := s.stop(); err != nil { // what was not summed up yet is jsonLog in the end
		t.Fatal(err)
	}
	if lines := log.lines(t, "requests refused"); len(lines) != 1 || lines[0]["requests"] != 1.0 {
		t.Errorf("at the end: %v", lines)
	}
}

// TestDebugLogsEachRequest, those that are kept too.
func TestDebugLogsEachRequest(t *testing.T) {
	var log jsonLog
	s := serve(t, func(_ *Config, d *Deps) { d.Log = log.logger(slog.LevelDebug) })
	for _, c := range []struct{ body, want string }{
		{`{"message":"secret"}`, "events 202  demo"}, {`{"message":1}`, "events 400 invalid_event demo"}, {`{"message":"secret"}`, "events 202  demo"},
	} {
		got := s.single(c.body)
		lines := log.lines(t, "request answered")
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

// TestRefusalsAreSummedUp: however many come, a kind has one line at once and one for each interval in which more came.
func TestRefusalsAreSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log jsonLog
		r := newRefusals(log.logger(slog.LevelInfo))
		done := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		go func() { defer close(done); r.run(ctx) }()
		kind := refusalKind{routeBulk, 429, "rate_limited", "demo"}
		for i := range 1000 {
			r.note(kind, 2, fmt.Appendf(nil, "id-%d", i))
		}
		if lines := log.lines(t, "requests refused"); len(lines) != 1 || lines[0]["request_id"] != "id-0" {
			t.Errorf("at first: %v", lines)
		}
		time.Sleep(refusalsEvery + time.Second)
		synctest.Wait()
		lines := log.lines(t, "requests refused")
		if len(lines) != 1 || lines[0]["requests"] != 999.0 || lines[0]["events"] != 1998.0 || lines[0]["request_id"] != "id-999" {
			t.Errorf("then: %v", lines)
		}
		r.note(kind, 0, []byte("again"))
		if lines := log.lines(t, "requests refused"); len(lines) != 0 {
			t.Errorf("while it lasts: %v", lines)
		}
		time.Sleep(2 * refusalsEvery)
		synctest.Wait()
		if lines := log.lines(t, "requests refused"); len(lines) != 1 || len(r.kinds) != 0 {
			t.Errorf("in the end: %v, %d kinds kept", lines, len(r.kinds))
		}
		r.note(kind, 0, []byte("new"))
		if lines := log.lines(t, "requests refused"); len(lines) != 1 {
			t.Errorf("after a quiet time: %v", lines)
		}
		stop()
		<-done
	})
}

// TestRefusalsOfManyProjects: the number of kinds is bounded.
func TestRefusalsOfManyProjects(t *testing.T) {
	var log jsonLog
	r := newRefusals(log.logger(slog.LevelInfo))
	for i := range 10 * refusalProjects {
		r.note(refusalKind{routeEvents, 429, "rate_limited", fmt.Sprint("project-", i)}, 0, nil)
	}
	if lines := log.lines(t, "requests refused"); len(lines) != refusalProjects+1 {
		t.Errorf("%d lines", len(lines))
	}
	r.sumUp()
	lines := log.lines(t, "requests refused")
	if len(lines) != 1 || lines[0]["project"] != nil || lines[0]["requests"] != float64(9*refusalProjects-1) {
		t.Errorf("got %v", lines)
	}
}

// series are the names of all counters with labels, each with its labels' values.
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

// TestCountersBeginAtZero: increase does not see the first value of a counter that was not there before.
func TestCountersBeginAtZero(t *testing.T) {
	s := serve(t)
	before := s.series()
	for _, a := range answers[1:] {
		if !before["sluice_gateway_events_rejected_total "+a.code] {
			t.Errorf("no counter of events rejected as %s", a.code)
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

// produceRefusals has some answers of each route.
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
