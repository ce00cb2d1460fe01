package gateway

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/gateway/ingest"
)

// inBackground sends requests that wait for their answers. The returned function waits for their statuses.
func (s *served) inBackground(n int, body string) (statuses func() []int) {
	out := make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { out[i] = s.single(body).status })
	}
	return func() []int { all.Wait(); return out }
}

// TestInflightRequests: one request above the limit is refused, whatever it carries and with its body unread. When
// another is answered, the next one is let in.
func TestInflightRequests(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{0, 2} {
		s := serve(t, func(c *Config, _ *Deps) { c.MaxInflightRequests = limit })
		hold := make(chan struct{})
		s.producer.Hold = hold
		statuses := s.inBackground(2, `{"message":"x"}`)
		waitUntil(t, func() bool { return s.ingester.UnderWay() == 2 })
		if got := s.counter("sluice_gateway_inflight_requests", ""); got != 2 {
			t.Errorf("the gauge says %v", got)
		}
		if limit > 0 {
			for _, r := range []request{
				{path: pathEvents, body: `{"message":"x"}`},
				{path: pathBulk, body: `[{"message":"x"}]`},
				{path: pathEvents, body: "nonsense, which nobody read"},
				{path: pathBulk, body: strings.Repeat("x", 1<<20), chunked: true},
			} {
				got := s.do(r)
				if got.status != 503 || got.body.Code != "unavailable" || !*got.body.Retryable || got.header.Get("Retry-After") == "" {
					t.Errorf("%.20s: got %d %v %s", r.body, got.status, got.header, got.text)
				}
			}
			if got := s.do(request{path: pathEvents, noKey: true}); got.status != 401 {
				t.Errorf("without a key: got %d", got.status)
			}
			if got := s.counter("sluice_gateway_overload_total", ingest.LimitRequests); got != 4 {
				t.Errorf("counted %v", got)
			}
		}
		close(hold)
		for _, status := range statuses() {
			if status != 202 {
				t.Errorf("limit %d: one that was let in got %d", limit, status)
			}
		}
		if got := s.single(`{"message":"x"}`); got.status != 202 || s.ingester.UnderWay() != 0 {
			t.Errorf("afterwards: got %d, %d in flight", got.status, s.ingester.UnderWay())
		}
	}
}

// TestRefusalsSpreadTheirRetries: clients that were refused together must not come back together.
func TestRefusalsSpreadTheirRetries(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.MaxInflightRequests = 1 })
	hold := make(chan struct{})
	s.producer.Hold = hold
	statuses := s.inBackground(1, `{"message":"x"}`)
	waitUntil(t, func() bool { return s.ingester.UnderWay() == 1 })
	seen := map[string]int{}
	for range 100 {
		seen[s.single(`{"message":"x"}`).header.Get("Retry-After")]++
	}
	close(hold)
	statuses()
	if len(seen) < 3 || seen[""] > 0 {
		t.Errorf("Retry-After: %v", seen)
	}
}

// TestBodiesInFlight: unfinished bodies fill the budget. The next large body is refused and small ones pass. The
// memory comes back when the clients are gone. A compressed body counts twice: as it came and decompressed.
func TestBodiesInFlight(t *testing.T) {
	const most = 64 << 10
	s := serve(t, func(c *Config, _ *Deps) {
		c.MaxEventBytes, c.MaxBulkBytes, c.MaxBodyBytes = most, most, minBodiesPerBulk*most
	})
	large := eventOf(60 << 10)
	var conns []net.Conn
	for i := range 4 { // each holds 56 KiB: 64 without the first 8
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n%s",
			pathEvents, testKey, len(large), large[:len(large)-1]); err != nil {
			t.Fatal(err)
		}
		waitUntil(t, func() bool { return s.ingester.BodyBytes() == int64(i+1)*56<<10 })
	}
	if got := s.counter("sluice_gateway_body_bytes", ""); got != 224<<10 {
		t.Errorf("the gauge says %v", got)
	}
	if got := s.single(large); got.status != 503 || got.header.Get("Retry-After") == "" || got.body.Code != "unavailable" {
		t.Errorf("a large one on top: got %d %s", got.status, got.text)
	}
	if got := s.do(encoded(pathEvents, "gzip", large)); got.status != 503 {
		t.Errorf("a small one that becomes large: got %d %s", got.status, got.text)
	}
	if got := s.counter("sluice_gateway_overload_total", ingest.LimitBodyBytes); got != 2 {
		t.Errorf("counted %v", got)
	}
	for _, n := range []int{25, 8<<10 - 1, 8 << 10} {
		if got := s.single(eventOf(n)); got.status != 202 {
			t.Errorf("%d bytes: got %d %s", n, got.status, got.text)
		}
	}
	for i, conn := range conns {
		if i%2 == 0 { // half of them finish, half of them go
			_, _ = io.WriteString(conn, "}")
		}
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	waitUntil(t, func() bool { return s.ingester.BodyBytes() == 0 })
	if got := s.single(large); got.status != 202 {
		t.Errorf("afterwards: got %d %s", got.status, got.text)
	}
}

// TestQueueWait: while more comes than Kafka takes, requests are refused before they would wait too long. When Kafka
// has caught up, requests are let in again. Kafka's pace counts for a second, so the test runs by itself.
func TestQueueWait(t *testing.T) {
	for _, partitionBy := range []string{"none", "event_id"} {
		t.Run(partitionBy, func(t *testing.T) { testQueueWait(t, partitionBy) })
	}
}

func testQueueWait(t *testing.T, partitionBy string) {
	s := serve(t, func(c *Config, _ *Deps) {
		c.MaxQueueWait, c.RequestTimeout, c.PartitionBy = time.Second, 20*time.Second, partitionBy
	})
	hold := make(chan struct{})
	s.producer.Hold = hold
	// The requests come one by one, so that each lane takes one and the others queue up behind: more than fits into a
	// batch.
	large := eventOf(100 << 10)
	var waiting []func() []int
	for i := range 120 {
		waiting = append(waiting, s.inBackground(1, large))
		waitUntil(t, func() bool { return s.ingester.UnderWay() == int64(i+1) })
	}
	if s.publisher.Congested() {
		t.Error("refused before Kafka took anything")
	}
	// Each batch that Kafka takes is a pace, for a second. On a busy machine the second may pass before the request comes:
	// then that one is let in, and waits with the others.
	answers, tries, refused := make(chan reply, 10), 0, 0.0
	for len(answers) == 0 && tries < cap(answers) {
		hold <- struct{}{}
		waitUntil(t, s.publisher.Congested)
		before := s.ingester.UnderWay()
		tries++
		go func() { answers <- s.single(`{"message":"x"}`) }()
		waitUntil(t, func() bool { return len(answers) > 0 || s.ingester.UnderWay() > before })
	}
	close(hold)
	for range tries {
		if got := <-answers; got.status == 503 && got.header.Get("Retry-After") != "" {
			refused++
		} else if got.status != 202 {
			t.Errorf("got %d %s", got.status, got.text)
		}
	}
	if refused == 0 {
		t.Error("all were let in")
	}
	for _, statuses := range waiting {
		if got := statuses(); got[0] != 202 {
			t.Errorf("one that was let in got %d", got[0])
		}
	}
	waitUntil(t, func() bool { return !s.publisher.Congested() })
	if got := s.single(`{"message":"x"}`); got.status != 202 {
		t.Errorf("afterwards got %d %s", got.status, got.text)
	}
	if got := s.counter("sluice_gateway_overload_total", ingest.LimitQueueWait); got != refused {
		t.Errorf("counted %v instead of %v", got, refused)
	}
}
