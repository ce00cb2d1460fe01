package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/gateway/broker/brokertest"
	"sluice/gateway/publish"
	"sluice/internal/recordbatch/batchtest"
)

// TestBytesAreCopied: fasthttp and the buffer pools reuse the memory of a request, and a record may wait for its lane
// longer than its request does. Later requests must not change a record that still waits.
func TestBytesAreCopied(t *testing.T) {
	hold := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(hold) })
	// No lane takes over the work of a stuck one, so that the records go on waiting.
	s := serve(t, func(c *Config, d *Deps) {
		c.RequestTimeout, d.Producer, d.stuckAfter = time.Second, keeper{&brokertest.Memory{}, hold}, time.Hour
	})
	trace := func(i int) string { return fmt.Sprintf("00-4bf92f3577b34da6a3ce929d0e0e%04d-00f067aa0ba902b7-01", i) }
	body := func(i int) string { return fmt.Sprintf(`{"message":"%s %06d"}`, strings.Repeat("x", 100), i) }
	const n = 100
	wave := func(from int) {
		var all sync.WaitGroup
		for i := from; i < from+n; i++ {
			all.Go(func() {
				r := request{path: pathEvents, body: body(i), header: map[string]string{"Traceparent": trace(i)}}
				if i%2 == 1 {
					r.path, r.body = pathBulk, "["+body(i)+"]"
				}
				if got := s.do(r); got.status != 503 {
					t.Errorf("got %d %s", got.status, got.text)
				}
			})
		}
		all.Wait()
	}
	// Every lane is busy, so that later records wait.
	var occupants sync.WaitGroup
	defer occupants.Wait()
	defer letGo()
	for len(waiting(s.publisher)) == 0 {
		occupants.Go(func() { occupy(s.publisher) })
		sleep(t.Context(), time.Millisecond)
	}
	// The requests of the first wave are answered at their deadline. The second wave reuses their memory.
	wave(0)
	held := slices.DeleteFunc(waiting(s.publisher), func(r batchtest.Record) bool { return string(r.Value) == "occupant" })
	if len(held) != n {
		t.Fatalf("%d records wait", len(held))
	}
	want := map[string]string{}
	for i := range n {
		want[body(i)] = trace(i)
	}
	wave(n)
	for _, r := range held {
		traced, ok := want[string(r.Value)]
		if !ok {
			t.Fatalf("a record of the first wave now holds %q", r.Value)
		}
		for _, h := range r.Headers {
			if h.Key == "traceparent" && string(h.Value) != traced {
				t.Fatalf("the record now has traceparent %q", h.Value)
			}
			if h.Key == "project" && string(h.Value) != "demo" {
				t.Fatalf("the record now has project %q", h.Value)
			}
		}
	}
}

// keeper is a Producer that blocks its lane until it is released, whatever the context says.
type keeper struct {
	*brokertest.Memory
	hold chan struct{}
}

func (k keeper) Produce(ctx context.Context, partition int, batch []byte) error {
	<-k.hold
	return k.Memory.Produce(ctx, partition, batch)
}

// occupy publishes a record that is not an event.
func occupy(pub *publish.Publisher) {
	r := pub.NewRequest()
	defer r.Release()
	r.AddRun(-1, batchtest.Run(batchtest.Record{Value: []byte("occupant")}), 1)
	pub.Publish(r, time.Now().Add(10*time.Second))
}

// waiting returns the records that no lane has taken yet. They alias the publisher's memory.
func waiting(pub *publish.Publisher) (out []batchtest.Record) {
	pub.Queued(func(run []byte) { out = append(out, batchtest.Records(run)...) })
	return out
}

func TestUnavailableCarriesTheEventID(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = 3 * time.Second }, withProjects(t, limited(1, "60s")))
	s.producer.Failing(func() (bool, error) { return true, errors.New("answer lost") })
	got := s.single(`{"message":"x"}`)
	if got.status != 503 || got.body.EventID == "" || !*got.body.Retryable || got.header.Get("Retry-After") == "" {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	// The client sends it again with that id and it is accepted: the 503 cost nothing of the limit.
	s.producer.Failing(nil)
	if again := s.single(`{"message":"x","event_id":"` + got.body.EventID + `"}`); again.status != 202 || again.body.EventID != got.body.EventID {
		t.Fatalf("got %d %s", again.status, again.text)
	}
}
