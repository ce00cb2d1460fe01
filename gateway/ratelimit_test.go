package gateway

import (
	"reflect"
	"testing"
	"time"
)

func TestRateLimitSingles(t *testing.T) {
	s := serve(t, withProjects(t, limited(100, "60s")))
	for i := 1; i <= 100; i++ {
		if got := s.single(`{"message":"x"}`); got.status != 202 {
			t.Fatalf("event %d: got %d %s", i, got.status, got.text)
		} else if i == 100 && got.header.Get("RateLimit") != `"events";r=0;t=60` {
			t.Errorf("RateLimit: %q", got.header.Get("RateLimit"))
		}
	}
	got := s.single(`{"message":"x"}`)
	if got.status != 429 || got.header.Get("Retry-After") != "60" || got.body.Code != "rate_limited" || !*got.body.Retryable {
		t.Fatalf("event 101: got %d %v %s", got.status, got.header, got.text)
	}
	if got.header.Get("RateLimit-Policy") != `"events";q=100;w=60` || got.header.Get("RateLimit") != `"events";r=0;t=60` {
		t.Errorf("fields: %v", got.header)
	}
	s.clock.advance(60 * time.Second)
	if got := s.bulkOf(events(100, nil)); got.status != 202 || got.body.Accepted != 100 {
		t.Fatalf("a window later: got %d %.300s", got.status, got.text)
	}
}

func TestRateLimitBulkKeepsWhatFits(t *testing.T) {
	s := serve(t, withProjects(t, limited(100, "60s")))
	if got := s.bulkOf(events(80, nil)); got.body.Accepted != 80 {
		t.Fatalf("got %s", got.text)
	}
	got := s.bulkOf(events(50, nil))
	if got.status != 202 || got.body.Accepted != 20 || got.body.Rejected != 30 || !reflect.DeepEqual(got.body.Retry, [][2]int{{20, 49}}) || got.header.Get("Retry-After") != "60" {
		t.Fatalf("got %d %v %s", got.status, got.header, got.text)
	}
	if got := s.bulkOf(events(3, nil)); got.status != 429 || got.header.Get("Retry-After") != "60" {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	if n := len(s.producer.Stored()); n != 100 {
		t.Errorf("%d events reached Kafka", n)
	}
}

func TestWhatIsCharged(t *testing.T) {
	s := serve(t, withProjects(t, limited(10, "60s")))
	left := func() int {
		return s.projects.Load().find([]byte(testKey)).limit.Quota(s.clock.now()).Left
	}
	steps := []struct {
		name string
		r    request
		left int
	}{
		{"a valid event", request{path: pathEvents, body: `{"message":"x"}`}, 9},
		{"an invalid one: the request", request{path: pathEvents, body: `{}`}, 8},
		{"a malformed bulk: the request", request{path: pathBulk, body: `[`}, 7},
		{"a bulk without a valid event: the request", request{path: pathBulk, body: `[{},{}]`}, 6},
		{"the valid ones of a bulk", request{path: pathBulk, body: `[{},{"message":"x"},{"message":"y"}]`}, 4},
		{"no key: nobody", request{path: pathEvents, body: `{"message":"x"}`, noKey: true}, 4},
		{"unsupported type: the request", request{path: pathEvents, body: `x`, header: map[string]string{"Content-Type": "text/css"}}, 3},
	}
	for _, step := range steps {
		s.do(step.r)
		if got := left(); got != step.left {
			t.Fatalf("after %s: %d left, want %d", step.name, got, step.left)
		}
	}
}
