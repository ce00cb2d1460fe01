package gateway

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/gateway/ingest"
	"sluice/internal/event"
)

// recordIDs returns the ids of the kept events, in order.
func (s *served) recordIDs() []string {
	s.t.Helper()
	var ids []string
	for _, r := range s.producer.Stored() {
		envelope, err := event.ParseHeaders(r.Headers)
		if err != nil {
			s.t.Fatal(err)
		}
		ids = append(ids, envelope.ID.String())
	}
	return ids
}

func withKey(r request, key string) request {
	r.header = map[string]string{ingest.HeaderIdempotencyKey: key}
	return r
}

func TestIdempotencyKeyMakesTheSameIDs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const own = "0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d"
	single := withKey(request{path: pathEvents, body: `{"message":"x"}`}, "order-17")
	first, again := s.do(single), s.do(single)
	if first.status != 202 || first.body.EventID != again.body.EventID {
		t.Fatalf("got %s and %s", first.text, again.text)
	}
	if id := ingest.DerivedID("demo", []byte("order-17"), 0).String(); first.body.EventID != id {
		t.Errorf("got %s, want %s", first.text, id)
	}
	if other := s.do(withKey(single, "order-18")); other.body.EventID == first.body.EventID {
		t.Error("another key made the same id")
	}
	if given := s.do(withKey(request{path: pathEvents, body: `{"message":"x","event_id":"` + own + `"}`}, "order-17")); given.body.EventID != own {
		t.Errorf("the event's own id was replaced: %s", given.text)
	}

	before := len(s.producer.Stored())
	body := `[{"message":"a"},{"message":1},{"message":"b","event_id":"` + own + `"},{"message":"c"}]`
	for range 2 {
		if got := s.do(withKey(request{path: pathBulk, body: body}, "batch")); got.status != 202 || got.body.Accepted != 3 {
			t.Fatalf("got %d %s", got.status, got.text)
		}
	}
	id := func(i int) string { return ingest.DerivedID("demo", []byte("batch"), i).String() }
	want := fmt.Sprint([]string{id(0), own, id(3), id(0), own, id(3)})
	if got := fmt.Sprint(s.recordIDs()[before:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestUnavailableUnderAnIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = 3 * time.Second })
	s.producer.Failing(func() (bool, error) { return true, errors.New("answer lost") })
	r := withKey(request{path: pathEvents, body: `{"message":"x"}`}, "k")
	got := s.do(r)
	if id := ingest.DerivedID("demo", []byte("k"), 0).String(); got.status != 503 || got.body.EventID != id {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	s.producer.Failing(nil)
	if again := s.do(r); again.status != 202 || again.body.EventID != got.body.EventID {
		t.Fatalf("got %d %s", again.status, again.text)
	}
	ids := s.recordIDs()
	for _, id := range ids {
		if id != ids[0] {
			t.Errorf("one event was kept under %v", ids)
		}
	}
}

func TestIdempotencyKeyBounds(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for key, status := range map[string]int{
		"k": 202, "!~": 202, `"quoted"`: 202, strings.Repeat("k", 255): 202,
		strings.Repeat("k", 256): 400, "a b": 400, "\u00e9": 400, "a\tb": 400, "": 400, " ": 400,
	} {
		for path, body := range map[string]string{pathEvents: `{"message":"x"}`, pathBulk: `[{"message":"x"}]`} {
			got := s.do(withKey(request{path: path, body: body}, key))
			if got.status != status || status == 400 && got.body.Code != "malformed" {
				t.Errorf("%q on %s: got %d %s", key, path, got.status, got.text)
			}
		}
	}
	kept := len(s.producer.Stored())
	head := "POST " + pathEvents + " HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + testKey + "\r\nContent-Length: 15\r\n"
	status, body, _ := s.raw(head + "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n" + `{"message":"x"}`)
	if status != 400 {
		t.Errorf("two keys: got %d %s", status, body)
	}
	if n := len(s.producer.Stored()); n != kept {
		t.Errorf("%d events of refused requests reached Kafka", n-kept)
	}
}
