package gateway

import (
	"math/rand/v2"
	"reflect"
	"sync"
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
	if n := len(s.producer.stored()); n != 100 {
		t.Errorf("%d events reached Kafka", n)
	}
}

func TestWhatIsCharged(t *testing.T) {
	s := serve(t, withProjects(t, limited(10, "60s")))
	left := func() int {
		return s.projects.Load().find([]byte(testKey)).limit.quota(s.clock.now()).left
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

func TestExactRetryAfter(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(60, time.Minute, true, now)
	l.take(60, now)
	for n, want := range map[int]int{1: 1, 2: 2, 30: 30, 60: 60, 1000: 60} {
		if got := l.retryAfter(n, now); got != want {
			t.Errorf("for %d events: %d s, want %d", n, got, want)
		}
	}
	if got := l.retryAfter(2, now.Add(1500*time.Millisecond)); got != 1 {
		t.Errorf("rounded up: %d s", got)
	}
}

// TestLimiterBound: in T seconds at most limit × (1 + T/window) events pass, however they are asked for; and a sender that
// waits a window has the whole limit.
func TestLimiterBound(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test
		limit, window := 1+rnd.IntN(1000), time.Duration(1+rnd.IntN(100))*time.Second
		start := time.Unix(1_800_000_000, 0)
		now := start
		l := newLimiter(limit, window, false, start)
		passed := 0
		for range 500 {
			now = now.Add(time.Duration(rnd.Int64N(int64(window) / 20)))
			passed += l.take(1+rnd.IntN(limit), now)
			bound := float64(limit) * (1 + float64(now.Sub(start))/float64(window))
			if float64(passed) > bound {
				t.Fatalf("seed %d: %d passed, bound %f", seed, passed, bound)
			}
		}
		if got := l.take(limit, now.Add(window)); got != limit {
			t.Fatalf("seed %d: %d of %d after a window", seed, got, limit)
		}
		if got := l.take(1, now.Add(window)); got != 0 {
			t.Fatalf("seed %d: more than the limit at once", seed)
		}
	}
}

func TestLimiterUnderConcurrency(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(10_000, time.Minute, false, now)
	var all sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 16 {
		all.Go(func() {
			mine := 0
			for range 1000 {
				mine += l.take(1, now)
			}
			mu.Lock()
			total += mine
			mu.Unlock()
		})
	}
	all.Wait()
	if total != 10_000 {
		t.Errorf("%d passed", total)
	}
}

// TestLimiterTakesOldReadings: requests read the clock before they have the lock, so readings arrive out of order. No time is
// paid for twice.
func TestLimiterTakesOldReadings(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	l := newLimiter(100, time.Minute, false, start)
	passed := l.take(100, start)
	for i := range 1000 {
		passed += l.take(1, start.Add(6*time.Second))
		passed += l.take(1, start.Add(time.Duration(i%6)*time.Second))
	}
	if passed != 110 {
		t.Errorf("%d passed in 6 s, want 110", passed)
	}
}

// TestLimiterAtItsBounds: the largest limit over the longest window does not overflow, however long nobody came.
func TestLimiterAtItsBounds(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	for _, idle := range []time.Duration{time.Second, 2 * time.Hour, maxLimitWindow - time.Microsecond, maxLimitWindow, 100 * maxLimitWindow} {
		l := newLimiter(maxLimitEvents, maxLimitWindow, false, start)
		if got := l.take(maxLimitEvents, start); got != maxLimitEvents {
			t.Fatalf("%d at first", got)
		}
		want := int(min(1, float64(idle)/float64(maxLimitWindow)) * maxLimitEvents)
		if got := l.take(maxLimitEvents, start.Add(idle)); got < want-1 || got > want {
			t.Errorf("after %s: %d, want %d", idle, got, want)
		}
	}
}
