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

// parkedSoon is an option: connections park as soon as they are idle.
func parkedSoon(_ *Config, d *Deps) { d.parkAfter = time.Millisecond }

// TestIdleConnectionsPark: a connection that is idle leaves the server, still counts, and is served as ever with its next
// request: a small one, one with the largest head, one that is refused, several at once, or one that comes a byte at a time.
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
		waitUntil(t, func() bool { return s.conns.Parked() == 1 && s.app.Server().GetOpenConnectionsCount() == 0 })
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
	waitUntil(t, func() bool { return s.conns.Parked() == 1 })
	if status, _, more := s.raw(rawEvent + rawEvent); status != 202 || !more {
		t.Errorf("two at once: got %d, more %v", status, more)
	}
	_ = conn.Close()
	waitUntil(t, func() bool { return s.conns.Open() == 0 })
}

// TestParkedConnectionsEnd with their idle time, which began when they were last used.
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
	if took := time.Since(start); took < 900*time.Millisecond || took > 10*time.Second {
		t.Errorf("it ended after %s", took)
	}
	waitUntil(t, func() bool { return s.conns.Open() == 0 })
}

// TestParkedConnectionsCount for the bound on connections.
func TestParkedConnectionsCount(t *testing.T) {
	s := serve(t, parkedSoon, func(c *Config, _ *Deps) { c.MaxConnections = 1 })
	if resp := ask(t, s.dial(), rawEvent); resp == nil || resp.StatusCode != 202 {
		t.Fatalf("got %v", resp)
	}
	waitUntil(t, func() bool { return s.conns.Parked() == 1 })
	if resp := ask(t, s.dial(), rawEvent); resp == nil || resp.StatusCode != 503 {
		t.Errorf("one more: got %v", resp)
	}
}

// TestDrainWithParkedConnections: they are closed, those that wake at that moment are answered or closed, and none is answered
// 202 for an event that is not kept.
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
	waitUntil(t, func() bool { return s.conns.Parked() == len(conns) })
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
	if n := s.conns.Parked(); n != 0 {
		t.Errorf("%d are still parked", n)
	}
}
