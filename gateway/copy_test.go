package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// keeper is a Producer that still holds records after the request that brought them has been answered, as kafka-go does
// after a deadline.
type keeper struct {
	mu   sync.Mutex
	held []Record
}

func (k *keeper) Produce(_ context.Context, _ int, records []Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = append(k.held, records...)
	return fmt.Errorf("%w: held", ErrRefused) // answers at once, and keeps the bytes
}

func (k *keeper) Partitions(context.Context) (int, error) { return 1, nil }

// TestBytesAreCopied: fasthttp and the buffer pools reuse a request's memory. Whatever a client sends later must not change
// a record that is on its way.
func TestBytesAreCopied(t *testing.T) {
	k := &keeper{}
	s := serve(t, func(_ *Config, d *Deps) { d.Producer = k })
	trace := func(i int) string { return fmt.Sprintf("00-4bf92f3577b34da6a3ce929d0e0e%04d-00f067aa0ba902b7-01", i) }
	body := func(i int) string { return fmt.Sprintf(`{"message":"%s %06d"}`, strings.Repeat("x", 100), i) }
	const n = 200
	for i := range n {
		r := request{path: pathEvents, body: body(i), header: map[string]string{"Traceparent": trace(i)}}
		if i%2 == 1 {
			r.path, r.body = pathBulk, "["+body(i)+"]"
		}
		s.do(r)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.held) != n {
		t.Fatalf("%d records, want %d", len(k.held), n)
	}
	for i, r := range k.held {
		if string(r.Value) != body(i) {
			t.Fatalf("record %d now holds %q", i, r.Value)
		}
		for _, h := range r.Headers {
			if h.Key == "traceparent" && string(h.Value) != trace(i) {
				t.Fatalf("record %d now has traceparent %q", i, h.Value)
			}
			if h.Key == "project" && string(h.Value) != "demo" {
				t.Fatalf("record %d now has project %q", i, h.Value)
			}
		}
	}
}

func TestUnavailableCarriesTheEventID(t *testing.T) {
	s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = time.Second }, withProjects(t, limited(1, "60s")))
	s.producer.failing(func() (bool, error) { return true, errors.New("answer lost") })
	got := s.single(`{"message":"x"}`)
	if got.status != 503 || got.body.EventID == "" || !*got.body.Retryable || got.header.Get("Retry-After") == "" {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	// Sent again with that id, it is accepted: the 503 cost nothing of the limit.
	s.producer.failing(nil)
	if again := s.single(`{"message":"x","event_id":"` + got.body.EventID + `"}`); again.status != 202 || again.body.EventID != got.body.EventID {
		t.Fatalf("got %d %s", again.status, again.text)
	}
}
