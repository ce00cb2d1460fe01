package gateway

import (
	"fmt"
	"strings"
	"testing"

	"sluice/gateway/ingest"
)

// headOf returns a request of one event whose head has n bytes with its empty line.
func headOf(n int) string {
	const frame = "POST " + pathEvents + " HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + testKey + "\r\nContent-Length: 15\r\nCookie: \r\n\r\n"
	return strings.Replace(frame, "Cookie: ", "Cookie: "+strings.Repeat("c", n-len(frame)), 1)
}

// TestHeadSizes: heads up to the limit are taken: with the body in the same packet and without, as the first request
// of a connection and as a later one. One more byte is 431, which names the limit and its size.
func TestHeadSizes(t *testing.T) {
	t.Parallel()
	const body = `{"message":"x"}`
	for _, limit := range []int{4 << 10, 16 << 10, 64 << 10} {
		s := serve(t, func(c *Config, _ *Deps) { c.MaxHeaderBytes = limit })
		for off, want := range map[int]int{-1: 202, 0: 202, 1: 431} {
			first := s.dial()
			if resp := ask(t, first, headOf(limit+off)+body); resp == nil || resp.StatusCode != want || resp.Close != (want == 431) {
				t.Errorf("limit %d, %+d: got %v", limit, off, resp)
			}
			later := s.dial()
			for _, text := range []string{headOf(300) + body, headOf(limit-10) + body, headOf(400) + body} {
				if resp := ask(t, later, text); resp == nil || resp.StatusCode != 202 {
					t.Fatalf("limit %d: got %v", limit, resp)
				}
			}
			resp := ask(t, later, headOf(limit+off)+body)
			if resp == nil || resp.StatusCode != want {
				t.Fatalf("limit %d, %+d, a later request: got %v", limit, off, resp)
			}
		}
		got := s.do(request{path: pathEvents, body: body, header: map[string]string{"Cookie": strings.Repeat("c", limit)}})
		if got.status != 431 || got.body.Limit != ingest.LimitHeaderBytes || !strings.Contains(got.body.Error, fmt.Sprint(limit)) {
			t.Errorf("got %d %s", got.status, got.text)
		}
	}
}
