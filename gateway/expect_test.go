package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// expecting returns the head of a request that waits for leave to send its body.
func expecting(method, path, headers string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + headers + "\r\n"
}

// TestRefusedBeforeTheBody: a fault of the head is answered at once, without a 100 before. The connection ends,
// because the client may send the body all the same.
func TestRefusedBeforeTheBody(t *testing.T) {
	t.Parallel()
	const eventLimit, bulkLimit = 1000, 2000
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes = eventLimit, bulkLimit })
	const key, length = "X-Api-Key: " + testKey + "\r\n", "Content-Length: 15\r\n"
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"no key":             {expecting("POST", pathEvents, length), 401},
		"unknown key":        {expecting("POST", pathBulk, "X-Api-Key: nobody\r\n"+length), 401},
		"unknown, chunked":   {expecting("POST", pathBulk, "X-Api-Key: nobody\r\nTransfer-Encoding: chunked\r\n"), 401},
		"two keys":           {expecting("POST", pathEvents, key+"Authorization: Bearer x\r\n"+length), 400},
		"unknown path":       {expecting("POST", "/nowhere", key+length), 404},
		"wrong method":       {expecting("PUT", pathEvents, key+length), 405},
		"unknown method":     {expecting("BREW", pathEvents, key+length), 405},
		"post to health":     {expecting("POST", pathHealth, key+length), 405},
		"event too large":    {expecting("POST", pathEvents, key+fmt.Sprintf("Content-Length: %d\r\n", eventLimit+1)), 413},
		"bulk too large":     {expecting("POST", pathBulk, key+fmt.Sprintf("Content-Length: %d\r\n", bulkLimit+1)), 413},
		"content type":       {expecting("POST", pathEvents, key+length+"Content-Type: text/css\r\n"), 415},
		"content encoding":   {expecting("POST", pathBulk, key+length+"Content-Encoding: lzma\r\n"), 415},
		"idempotency key":    {expecting("POST", pathBulk, key+length+"Idempotency-Key: a b\r\n"), 400},
		"length and chunked": {expecting("POST", pathEvents, key+length+"Transfer-Encoding: chunked\r\n"), 400},
	} {
		t.Run(name, func(t *testing.T) {
			conn := s.dial()
			resp := ask(t, conn, c.text) // ask takes 100 for the answer
			if resp == nil || resp.StatusCode != c.status || !resp.Close || resp.Header.Get("X-Request-Id") == "" {
				t.Errorf("got %v, want %d", resp, c.status)
			}
		})
	}
	if n := len(s.producer.Stored()); n != 0 {
		t.Errorf("%d events were kept", n)
	}
	if got := s.counter("sluice_gateway_requests_total", "401"); got != 3 {
		t.Errorf("the figures say %v", got)
	}
	if got := s.counter("sluice_gateway_inflight_requests", ""); got != 0 {
		t.Errorf("%v requests are still under way", got)
	}
}

// TestRefusedBeforeTheBodyForLimits: the rate limit and overload are known from the head too.
func TestRefusedBeforeTheBodyForLimits(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(2, "60s")), func(c *Config, _ *Deps) { c.MaxInflightRequests = 1 })
	text := expecting("POST", pathEvents, "X-Api-Key: "+testKey+"\r\nContent-Length: 15\r\n")
	hold := make(chan struct{})
	s.producer.Hold = hold
	first := s.inBackground(1, `{"message":"x"}`)
	waitUntil(t, func() bool { return s.ingester.UnderWay() == 1 })
	if resp := ask(t, s.dial(), text); resp == nil || resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("overloaded: got %v", resp)
	}
	close(hold)
	assert.Equal(t, []int{202}, first())
	assert.Equal(t, 202, s.single(`{"message":"x"}`).status)
	if resp := ask(t, s.dial(), text); resp == nil || resp.StatusCode != 429 || resp.Header.Get("RateLimit") == "" {
		t.Errorf("limited: got %v", resp)
	}
}

// TestLeaveToSendTheBody: a request without a fault gets 100 and then its answer. The connection stays open. The
// request is charged and counted once.
func TestLeaveToSendTheBody(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(10, "60s")))
	conn := s.dial()
	const body = `{"message":"x"}`
	for _, path := range []string{pathEvents, pathBulk} {
		head := expecting("POST", path, "X-Api-Key: "+testKey+"\r\nOrigin: https://shop.example\r\nContent-Length: 15\r\n")
		if resp := ask(t, conn, head); resp == nil || resp.StatusCode != http.StatusContinue {
			t.Fatalf("%s: got %v", path, resp)
		}
		resp := ask(t, conn, body)
		if resp == nil || resp.StatusCode != 202 || resp.Close || len(resp.Header.Values("X-Request-Id")) != 1 || len(resp.Header.Values("Access-Control-Allow-Origin")) != 1 {
			t.Fatalf("%s: got %v", path, resp)
		}
	}
	if left := s.single(body).header.Get("RateLimit"); !strings.Contains(left, ";r=7;") {
		t.Errorf("left: %s", left)
	}
	if got := s.counter("sluice_gateway_requests_total", ""); got != 3 {
		t.Errorf("%v requests", got)
	}
	if resp := ask(t, conn, expecting("GET", pathHealth, "")); resp == nil || resp.StatusCode != http.StatusContinue {
		t.Errorf("health: got %v", resp)
	}
}
