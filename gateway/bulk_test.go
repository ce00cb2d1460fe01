package gateway

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sluice/gateway/ingest"
)

func TestBulkNamesTheBadOnes(t *testing.T) {
	t.Parallel()
	bad := map[int]string{4: `{"message":"x","level":"loud"}`, 500: `{"message":7}`, 999: `{"message":"x","event_id":"zzz"}`}
	fields := map[int]string{4: "level", 500: "message", 999: "event_id"}
	array := events(1000, func(i int) string { return bad[i] })
	bodies := map[string]request{
		"array":   {path: pathBulk, body: array},
		"object":  {path: pathBulk, body: `{"sent_at":"2026-11-23T12:00:00Z","events":` + array + `}`},
		"ndjson":  {path: pathBulk, body: strings.ReplaceAll(array[1:len(array)-1], "},{", "}\r\n{"), header: map[string]string{"Content-Type": "application/x-ndjson"}},
		"json":    {path: pathBulk, body: strings.ReplaceAll(array[1:len(array)-1], "},{", "}\n{"), header: map[string]string{"Content-Type": "application/json"}},
		"stream":  {path: pathBulk, body: strings.ReplaceAll(array[1:len(array)-1], "},{", "}{"), header: map[string]string{"Content-Type": "application/json"}},
		"no type": {path: pathBulk, body: strings.ReplaceAll(array[1:len(array)-1], "},{", "}\n{")},
		"text":    {path: pathBulk, body: strings.ReplaceAll(array[1:len(array)-1], "},{", "}\n{"), header: map[string]string{"Content-Type": "text/plain"}},
	}
	for name, r := range bodies {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			got := s.do(r)
			if got.status != 202 || got.body.Accepted != 997 || got.body.Rejected != 3 || got.body.Duplicates != 0 || got.body.Retry != nil {
				t.Fatalf("got %d %s", got.status, got.text)
			}
			if got.header.Get("X-Accepted-Events") != "997" || got.header.Get("X-Rejected-Events") != "3" {
				t.Errorf("got headers %v", got.header)
			}
			found := map[int]string{}
			for _, e := range got.body.Errors {
				found[*e.Index] = e.Field
				if e.Code != "invalid_event" || e.Retryable || e.Error == "" {
					t.Errorf("got %+v", e)
				}
			}
			if !reflect.DeepEqual(found, fields) {
				t.Errorf("got %v, want %v", found, fields)
			}
			records := s.producer.Stored()
			if len(records) != 997 || string(records[4].Value) != `{"message":"event 5"}` {
				t.Errorf("got %d records", len(records))
			}
		})
	}
}

func TestBulkListsTheFirstHundredErrors(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, n := range []int{99, 100, 101} {
		got := s.bulkOf(events(n+1, func(i int) string {
			if i < n {
				return `{"message":""}`
			}
			return ""
		}))
		if got.status != 202 || got.body.Rejected != n || len(got.body.Errors) != min(n, 100) {
			t.Errorf("%d bad: got %d %.300s", n, got.status, got.text)
		}
	}
}

func TestBulkDuplicates(t *testing.T) {
	t.Parallel()
	s := serve(t)
	id := func(n int) string { return fmt.Sprintf(`"event_id":"0193b3c4-5d6e-4a7b-8c9d-%012d"`, n) }
	got := s.do(request{path: pathBulk + "?results=all", body: `[
		{"message":"", ` + id(1) + `},
		{"message":"first", ` + id(1) + `},
		{"message":"again", ` + id(1) + `},
		{"message":"other", ` + id(2) + `}]`})
	if got.status != 202 || got.body.Accepted != 2 || got.body.Duplicates != 1 || got.body.Rejected != 1 {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	if len(got.body.EventIDs) != 4 || got.body.EventIDs[0] != nil || got.body.EventIDs[2] == nil || *got.body.EventIDs[1] != *got.body.EventIDs[2] {
		t.Errorf("got %s", got.text)
	}
	if records := s.producer.Stored(); len(records) != 2 || !strings.Contains(string(records[0].Value), "first") {
		t.Errorf("got records %v", records)
	}
}

func TestAtomicBulk(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(10, "60s")))
	atomic := func(body string) reply { return s.do(request{path: pathBulk + "?atomic=true", body: body}) }

	got := atomic(events(5, func(i int) string {
		if i == 3 {
			return `{"message":null}`
		}
		return ""
	}))
	if got.status != 400 || got.body.Code != "invalid_event" || got.body.Accepted != 0 || got.body.Rejected != 5 || len(got.body.Errors) != 5 || got.body.Retry != nil {
		t.Fatalf("invalid: got %d %s", got.status, got.text)
	}
	if got := atomic(events(11, nil)); got.status != 413 || got.body.Limit != ingest.LimitRate || got.body.Retry != nil {
		t.Fatalf("over the whole limit: got %d %s", got.status, got.text)
	}
	if n := len(s.producer.Stored()); n != 0 {
		t.Fatalf("%d events of refused bulks reached Kafka", n)
	}
	// Nothing was charged so far, so all ten fit.
	if got := atomic(events(10, nil)); got.status != 202 || got.body.Accepted != 10 {
		t.Fatalf("at the limit: got %d %s", got.status, got.text)
	}
	s.clock.advance(30e9)
	if got := atomic(events(6, nil)); got.status != 429 || got.header.Get("Retry-After") != "60" || !reflect.DeepEqual(got.body.Retry, [][2]int{{0, 5}}) {
		t.Fatalf("half the limit is back: got %d %s", got.status, got.text)
	}
	if got := atomic(events(5, nil)); got.status != 202 {
		t.Fatalf("the refused bulk was charged: got %d %s", got.status, got.text)
	}
}

func TestBulkKafkaAway(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = 1e9 }, withProjects(t, limited(10, "60s")))
	s.producer.Failing(func() (bool, error) { return false, errors.New("broker down") })
	got := s.bulkOf(events(8, func(i int) string {
		if i == 2 {
			return `{"message":1}`
		}
		return ""
	}))
	if got.status != 503 || got.body.Code != "unavailable" || !*got.body.Retryable || got.header.Get("Retry-After") == "" {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	if !reflect.DeepEqual(got.body.Retry, [][2]int{{0, 1}, {3, 7}}) || got.body.Rejected != 8 {
		t.Errorf("got %s", got.text)
	}
	// A 503 is refunded, so the whole limit is left.
	s.producer.Failing(nil)
	if got := s.bulkOf(events(10, nil)); got.status != 202 || got.body.Accepted != 10 {
		t.Errorf("after the outage: got %d %s", got.status, got.text)
	}
}
