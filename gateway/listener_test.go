package gateway

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sluice/gateway/ingest"
)

// dial opens a connection that is closed when the test ends.
func (s *served) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// ask sends a request over a connection and reads the answer. It returns nil if the connection ended.
func ask(t *testing.T, conn net.Conn, text string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		return nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp
}

const (
	rawHealth = "GET " + pathHealth + " HTTP/1.1\r\nHost: a\r\n\r\n"
	rawEvent  = "POST " + pathEvents + " HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + testKey + "\r\nOrigin: https://shop.example\r\nContent-Length: 15\r\n\r\n" + `{"message":"x"}`
)

// TestConnections: connections up to the limit are served. One more gets a 503 to its request, and a place as soon as
// another connection ends.
func TestConnections(t *testing.T) {
	const most = 3
	s := serve(t, func(c *Config, _ *Deps) { c.MaxConnections = most })
	var held []net.Conn
	for i := range most {
		conn := s.dial()
		held = append(held, conn)
		if resp := ask(t, conn, rawEvent); resp == nil || resp.StatusCode != 202 || resp.Close {
			t.Fatalf("connection %d: got %v", i+1, resp)
		}
	}
	if got := s.counter("sluice_gateway_connections", ""); got != most {
		t.Errorf("the gauge says %v", got)
	}
	for _, text := range []string{rawEvent, strings.Replace(rawEvent, pathEvents, pathBulk, 1)} {
		resp := ask(t, s.dial(), text)
		if resp == nil || resp.StatusCode != 503 || !resp.Close {
			t.Fatalf("one more: got %v", resp)
		}
		var body ingest.ErrorBody
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || body.Code != "unavailable" || !body.Retryable {
			t.Errorf("one more: got %+v, %v", body, err)
		}
		for _, name := range []string{"Retry-After", "X-Request-Id", "Access-Control-Allow-Origin"} {
			if resp.Header.Get(name) == "" {
				t.Errorf("one more: no %s", name)
			}
		}
	}
	if resp := ask(t, s.dial(), rawHealth); resp == nil || resp.StatusCode != 200 || !resp.Close {
		t.Errorf("a load balancer's check: got %v", resp)
	}
	if got := s.counter("sluice_gateway_overload_total", ingest.LimitConnections); got != 3 {
		t.Errorf("counted %v", got)
	}
	for i, conn := range held {
		if resp := ask(t, conn, rawEvent); resp == nil || resp.StatusCode != 202 {
			t.Errorf("connection %d: got %v", i+1, resp)
		}
	}
	waitUntil(t, func() bool { return s.server.conns.Open() == most })
	_ = held[0].Close()
	waitUntil(t, func() bool { return s.server.conns.Open() == most-1 })
	if resp := ask(t, s.dial(), rawEvent); resp == nil || resp.StatusCode != 202 || resp.Close {
		t.Errorf("in place of one that went: got %v", resp)
	}
}
