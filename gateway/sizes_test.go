package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sluice/gateway/body/bodytest"
	"sluice/gateway/ingest"
)

// eventOf returns an event of exactly n bytes.
func eventOf(n int) string {
	const frame = `{"message":"x","fill":""}`
	return frame[:len(frame)-2] + strings.Repeat("a", n-len(frame)) + `"}`
}

// TestSizeLimits tries every size limit at one below, at, and one above it: plain and in each encoding, with and
// without Content-Length.
func TestSizeLimits(t *testing.T) {
	t.Parallel()
	const eventLimit, bulkLimit = 1000, 3000
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes = eventLimit, bulkLimit })
	bulkOf := func(n int) string { // three events, padded with white space
		body := "[" + eventOf(900) + "," + eventOf(900) + "," + eventOf(900) + "]"
		return body + strings.Repeat(" ", n-len(body))
	}
	for _, path := range []string{pathEvents, pathBulk} {
		make, limit, name := eventOf, eventLimit, ingest.LimitEventBytes
		if path == pathBulk {
			make, limit, name = bulkOf, bulkLimit, ingest.LimitBulkBytes
		}
		for _, off := range []int{-1, 0, 1} {
			for _, coding := range append(slices.Clone(bodytest.Names), "") {
				for _, chunked := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s %+d %s chunked=%v", path, off, coding, chunked), func(t *testing.T) {
						r := request{path: path, body: make(limit + off)}
						if coding != "" {
							r = encoded(path, coding, r.body)
						}
						r.chunked = chunked
						got := s.do(r)
						if off <= 0 {
							if got.status != 202 {
								t.Fatalf("got %d %s", got.status, got.text)
							}
							return
						}
						if got.status != 413 || got.body.Code != "too_large" || got.body.Limit != name {
							t.Fatalf("got %d %s", got.status, got.text)
						}
					})
				}
			}
		}
	}
}

// TestWireSizeLimit: a body that compression makes larger has the same limit before decompression.
func TestWireSizeLimit(t *testing.T) {
	t.Parallel()
	const limit = 1000
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes = limit })
	event := `{"message":"x"}`
	frame := bodytest.ZstdFrame(0, bodytest.ZstdRaw(event))
	for off, status := range map[int]int{-1: 202, 0: 202, 1: 413} {
		for _, chunked := range []bool{false, true} {
			n := limit + off - len(frame) - 8
			body := "\x50\x2A\x4D\x18" + string([]byte{byte(n), byte(n >> 8), 0, 0}) + strings.Repeat("s", n) + frame
			got := s.do(request{path: pathEvents, body: body, chunked: chunked, header: map[string]string{"Content-Encoding": "zstd"}})
			if len(body) != limit+off || got.status != status || status == 413 && got.body.Limit != ingest.LimitEventBytes {
				t.Errorf("%d bytes, chunked=%v: got %d %s", len(body), chunked, got.status, got.text)
			}
		}
	}
}

func TestOneLargeEventInABulkIsRefusedAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes = 1000 })
	for off, status := range map[int]int{-1: 202, 0: 202, 1: 202} {
		got := s.bulkOf("[" + eventOf(1000+off) + `,{"message":"y"}]`)
		wantErrors := 0
		if off > 0 {
			wantErrors = 1
		}
		if got.status != status || len(got.body.Errors) != wantErrors || got.body.Accepted != 2-wantErrors {
			t.Errorf("%+d: got %d %s", off, got.status, got.text)
		}
		if wantErrors == 1 && (got.body.Errors[0].Code != "too_large" || *got.body.Errors[0].Index != 0 || got.body.Errors[0].Limit != ingest.LimitEventBytes) {
			t.Errorf("%+d: got %s", off, got.text)
		}
	}
}

func TestEventsInABulk(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for n, status := range map[int]int{9_999: 202, 10_000: 202, 10_001: 413} {
		got := s.bulkOf(events(n, nil))
		if got.status != status {
			t.Errorf("%d events: got %d %.200s", n, got.status, got.text)
		}
		if status == 413 && got.body.Limit != "max_bulk_events" {
			t.Errorf("%d events: got %.200s", n, got.text)
		}
	}
}

// TestRefusedBodyIsReadToItsEnd: a client that sends a large body without a key sees the answer and no reset.
func TestRefusedBodyIsReadToItsEnd(t *testing.T) {
	s := serve(t)
	body := strings.Repeat("x", 4<<20)
	for range 5 {
		if got := s.do(request{path: pathEvents, body: body, noKey: true}); got.status != 401 {
			t.Fatalf("got %d", got.status)
		}
		if got := s.do(request{path: pathEvents, body: body + body, chunked: true, noKey: true}); got.status != 401 {
			t.Fatalf("got %d", got.status)
		}
	}
}
