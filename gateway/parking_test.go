package gateway

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// parkedSoon parks connections as soon as they are idle.
func parkedSoon(_ *Config, d *Deps) { d.parkAfter = time.Millisecond }

// TestIdleConnectionsPark: an idle connection leaves the server and still counts as open. Its next request is served:
// a small one, one with the largest head, a refused one, several at once, and one that comes byte by byte.
func TestIdleConnectionsPark(t *testing.T) {
	s := serve(t, parkedSoon)
	const body = `{"message":"x"}`
	conn := s.dial()
	for _, c := range []struct {
		text   string
		status int
	}{
		{rawEvent, 202},
		{rawHealth, 200},
		{headOf(16<<10) + body, 202},
		{strings.Replace(rawEvent, testKey, "nobody", 1), 401},
		{expecting("POST", pathEvents, "X-Api-Key: "+testKey+"\r\nContent-Length: 15\r\n"), 100},
		{body, 202},
		{rawHealth, 200},
	} {
		resp := ask(t, conn, c.text)
		if resp == nil || resp.StatusCode != c.status || resp.Close {
			t.Fatalf("got %v, want %d", resp, c.status)
		}
		if c.status == 100 {
			continue
		}
		waitUntil(t, func() bool {
			return s.server.conns.Parked() == 1 && s.server.app.Server().GetOpenConnectionsCount() == 0
		})
		if got := s.counter("sluice_gateway_connections", ""); got != 1 {
			t.Errorf("the gauge says %v", got)
		}
	}
	for i := range len(rawEvent) - 1 { // the server takes it with its first byte
		if _, err := conn.Write([]byte(rawEvent[i : i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if resp := ask(t, conn, rawEvent[len(rawEvent)-1:]); resp == nil || resp.StatusCode != 202 {
		t.Fatalf("a byte at a time: got %v", resp)
	}
	waitUntil(t, func() bool { return s.server.conns.Parked() == 1 })
	if status, _, more := s.raw(rawEvent + rawEvent); status != 202 || !more {
		t.Errorf("two at once: got %d, more %v", status, more)
	}
	_ = conn.Close()
	waitUntil(t, func() bool { return s.server.conns.Open() == 0 })
}

// TestParkedConnectionsEnd: parked connections end after the idle time since their last use.
func TestParkedConnectionsEnd(t *testing.T) {
	s := serve(t, parkedSoon, func(c *Config, _ *Deps) { c.HTTPIdleTimeout = time.Second })
	conn := s.dial()
	start := time.Now()
	if resp := ask(t, conn, rawEvent); resp == nil || resp.StatusCode != 202 {
		t.Fatalf("got %v", resp)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read %d, %v", n, err)
	}
	// A connection that is parked for good ends with the deadline of the test, after 30 s.
	if took := time.Since(start); took < 900*time.Millisecond || took > 25*time.Second {
		t.Errorf("it ended after %s", took)
	}
	waitUntil(t, func() bool { return s.server.conns.Open() == 0 })
}

// TestParkedConnectionsCount: parked connections count against the bound on connections.
func TestParkedConnectionsCount(t *testing.T) {
	s := serve(t, parkedSoon, func(c *Config, _ *Deps) { c.MaxConnections = 1 })
	if resp := ask(t, s.dial(), rawEvent); resp == nil || resp.StatusCode != 202 {
		t.Fatalf("got %v", resp)
	}
	waitUntil(t, func() bool { return s.server.conns.Parked() == 1 })
	if resp := ask(t, s.dial(), rawEvent); resp == nil || resp.StatusCode != 503 {
		t.Errorf("one more: got %v", resp)
	}
}

// TestDrainWithParkedConnections: a drain closes parked connections. One that wakes at that moment is answered or
// closed, and never answered 202 for an event that is not kept.
func TestDrainWithParkedConnections(t *testing.T) {
	s := serve(t, parkedSoon)
	var conns []net.Conn
	for range 50 {
		conn := s.dial()
		if resp := ask(t, conn, rawEvent); resp == nil || resp.StatusCode != 202 {
			t.Fatalf("got %v", resp)
		}
		conns = append(conns, conn)
	}
	waitUntil(t, func() bool { return s.server.conns.Parked() == len(conns) })
	before := len(s.producer.Stored())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	var mu sync.Mutex
	accepted := 0
	for i, conn := range conns[1:] {
		all.Go(func() {
			if i%2 == 0 {
				<-ctx.Done()
			}
			if resp := ask(t, conn, rawEvent); resp != nil && resp.StatusCode == http.StatusAccepted {
				mu.Lock()
				accepted++
				mu.Unlock()
			}
		})
	}
	stop()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	if n, err := conns[0].Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("a parked connection after the drain: read %d, %v", n, err)
	}
	if kept := len(s.producer.Stored()) - before; accepted > kept {
		t.Errorf("%d accepted, %d kept", accepted, kept)
	}
	if n := s.server.conns.Parked(); n != 0 {
		t.Errorf("%d are still parked", n)
	}
}
