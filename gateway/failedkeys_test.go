package gateway

import (
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"sluice/gateway/ingest"

	"github.com/valyala/fasthttp"
)

// withBadKeys returns a request with an unknown key.
func withBadKey(i int) request {
	return request{path: pathEvents, body: `{"message":"x"}`, noKey: true, header: map[string]string{"X-API-Key": fmt.Sprint("guess-", i)}}
}

// TestFailedKeys: one below, at and one above the limit. Above it the answer is 429, valid keys pass, and after a
// minute the allowance is back.
func TestFailedKeys(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.FailedKeysPerMinute = 3 })
	for i := range 3 {
		if got := s.do(withBadKey(i)); got.status != 401 {
			t.Fatalf("bad key %d: got %d %s", i+1, got.status, got.text)
		}
	}
	for i := range 3 {
		r := withBadKey(3 + i)
		if i == 1 {
			r.path = pathBulk
		}
		r.header["X-Forwarded-For"] = fmt.Sprintf("198.51.100.%d", i) // nobody is trusted to say so
		got := s.do(r)
		if got.status != 429 || got.header.Get("Retry-After") != "60" || got.body.Code != "rate_limited" || !*got.body.Retryable {
			t.Fatalf("bad key %d: got %d %v %s", 4+i, got.status, got.header, got.text)
		}
		if got := s.single(`{"message":"x"}`); got.status != 202 {
			t.Fatalf("a good key from the same address: got %d %s", got.status, got.text)
		}
		if got := s.do(request{path: pathEvents, body: "{}", noKey: true}); got.status != 401 {
			t.Fatalf("no key at all: got %d", got.status)
		}
	}
	s.clock.advance(20*time.Second - time.Millisecond)
	if got := s.do(withBadKey(0)); got.status != 429 {
		t.Errorf("before a third of the minute: got %d", got.status)
	}
	s.clock.advance(time.Millisecond)
	if got := s.do(withBadKey(0)); got.status != 401 {
		t.Errorf("after a third of the minute: got %d", got.status)
	}
	s.clock.advance(time.Minute)
	for i := range 4 {
		want := 401
		if i == 3 {
			want = 429
		}
		if got := s.do(withBadKey(i)); got.status != want {
			t.Errorf("a minute later, bad key %d: got %d, want %d", i+1, got.status, want)
		}
	}
	if n := s.counter("sluice_gateway_overload_total", ingest.LimitFailedKeys); n != 5 {
		t.Errorf("counted %v", n)
	}
}

// TestFailedKeysBehindProxies: each client of a trusted proxy has its own allowance, and cannot use another's.
func TestFailedKeysBehindProxies(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.FailedKeysPerMinute, c.TrustedProxies = 1, []string{"127.0.0.0/8"} })
	for _, step := range []struct {
		forwarded string
		status    int
	}{
		{"198.51.100.1", 401},
		{"198.51.100.1", 429},
		{"203.0.113.5, 198.51.100.1", 429},
		{"198.51.100.2", 401},
		{"2001:db8:0:1::1", 401},
		{"2001:db8:0:1:ffff::2", 429}, // the same customer's
		{"2001:db8:0:2::1", 401},
	} {
		r := withBadKey(1)
		r.header["X-Forwarded-For"] = step.forwarded
		if got := s.do(r); got.status != step.status {
			t.Errorf("%s: got %d, want %d", step.forwarded, got.status, step.status)
		}
	}
}

// TestRandomKeysLeaveMemoryFlat: 25,000 random keys get the same answer and leave nothing in memory. Valid clients
// are served at the same time.
func TestRandomKeysLeaveMemoryFlat(t *testing.T) {
	s := serve(t, func(c *Config, _ *Deps) { c.FailedKeysPerMinute = 120_000 })
	handler := s.server.app.Server().Handler
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var req fasthttp.Request
	var ctx fasthttp.RequestCtx
	req.SetRequestURI(pathEvents)
	req.Header.SetMethod(fasthttp.MethodPost)
	peer := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	send := func(from, to int) {
		t.Helper()
		for i := from; i < to; i++ {
			req.Header.Set("X-API-Key", fmt.Sprintf("%x-random-%d", i*7919, i))
			ctx.Init(&req, peer, nil)
			handler(&ctx)
			if got := ctx.Response.StatusCode(); got != 401 {
				t.Fatalf("key %d: got %d %s", i, got, ctx.Response.Body())
			}
			if i%1250 == 0 {
				if got := s.single(`{"message":"x"}`); got.status != 202 {
					t.Fatalf("a good client got %d %s", got.status, got.text)
				}
			}
			ctx.Response.Reset()
		}
	}
	send(0, 5000) // fills pools and buffers
	before := heap()
	send(5000, 30_000)
	if after := heap(); after > before+1<<20 { // 42 bytes a key
		t.Errorf("the heap grew by %d bytes", after-before)
	}
}
