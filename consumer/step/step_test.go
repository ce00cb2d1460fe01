package step

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"

	"github.com/google/uuid"

	"sluice/internal/event"
)

func redact(t *testing.T, names, patterns []string, text string) string {
	t.Helper()
	in := &Input{JSON: []byte(text)}
	if !newRedaction(names, patterns).apply(in) {
		t.Fatal("dropped")
	}
	return string(in.JSON)
}

func TestRedactNames(t *testing.T) {
	for in, want := range map[string]string{
		`{"message":"x","password":"hunter2"}`:                           `{"message":"x","password":"[redacted]"}`,
		`{ "PassWord" : "a" , "b":[{"password":7.5e3},"c"]}`:             `{ "PassWord" : "[redacted]" , "b":[{"password":0},"c"]}`,
		`{"password":{"old":"a","new":["b",true,null,{"c":1}]},"d":"e"}`: `{"password":{"old":"[redacted]","new":["[redacted]",false,null,{"c":0}]},"d":"e"}`,
		`{"pass\u0077ord":"a","passwords":"b"}`:                          `{"pass\u0077ord":"[redacted]","passwords":"b"}`,
		`{"a":"password","password":"","c":"password"}`:                  `{"a":"password","password":"[redacted]","c":"password"}`,
		`{"event_id":"a","tags":{"event_id":"b","token":"\ud800"}}`:      `{"event_id":"a","tags":{"event_id":"b","token":"[redacted]"}}`,
		`{"tags":[["password","a"],["b","c"]]}`:                          `{"tags":[["password","a"],["b","c"]]}`, // a pair is an array: no name
	} {
		if got := redact(t, []string{"password", "token"}, nil, in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestRedactPatterns(t *testing.T) {
	all := []string{"card", "bearer", "email"}
	for in, want := range map[string]string{
		`{"message":"card 4111111111111111 0, 12 4111 1111 1111 1111 9 x"}`: `{"message":"card [redacted] 0, 12 [redacted] 9 x"}`,
		// Numbers that card companies publish for tests.
		`{"message":"paid with 4111111111111111."}`:               `{"message":"paid with [redacted]."}`,
		`{"message":"5555-5555-5555-4444 and 3782 822463 10005"}`: `{"message":"[redacted] and [redacted]"}`,
		`{"message":"4111111111111112"}`:                          `{"message":"4111111111111112"}`, // the check digit is wrong
		`{"message":"order 41111111111111111111"}`:                `{"message":"order 41111111111111111111"}`,
		`{"message":"at 1790000000007"}`:                          `{"message":"at 1790000000007"}`,
		`{"a":{"b":["Authorization: Bearer abc.def-ghi_123=="]}}`: `{"a":{"b":["Authorization: Bearer [redacted]"]}}`,
		`{"message":"bearer of bad news"}`:                        `{"message":"bearer of bad news"}`,
		`{"message":"ann.o+x@mail.example.com wrote"}`:            `{"message":"[redacted] wrote"}`,
		`{"message":"a @ b, x@y"}`:                                `{"message":"a @ b, x@y"}`,
		`{"message":"\"4111 1111 1111 1111\"\n"}`:                 `{"message":"\"[redacted]\"\n"}`,
		`{"event_id":"41111111-1111-4111-8111-411111111111","timestamp":"4111111111111111","user":{"ann@example.com":1}}`: `{"event_id":"41111111-1111-4111-8111-411111111111","timestamp":"4111111111111111","user":{"ann@example.com":1}}`,
	} {
		if got := redact(t, nil, all, in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
		if got := redact(t, []string{"nothing"}, nil, in); got != in {
			t.Errorf("without patterns %s became %s", in, got)
		}
	}
}

// FuzzRedact: whatever a valid event holds, it is one afterwards, with the same id and time, and no secret under the name.
func FuzzRedact(f *testing.F) {
	f.Add([]byte(`{"message":"4111111111111111","password":{"a":["b",1]},"exception":{"type":"x"},"stacktrace":[{"lineno":4,"in_app":true}]}`))
	f.Add([]byte(`{"message":"\ud83d 4111111111111111","password":"\ud83d","tags":[["a",{"password":[]}]]}`))
	f.Add([]byte(`{"message":"x","level":"warn","timestamp":1790000000007,"event_id":"0193b3c45d6e7a7b8c9d000000000012"}`))
	r := newRedaction([]string{"password", "message", "user", "tags", "exception", "stacktrace", "fingerprint"}, []string{"card", "bearer", "email"})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var before, after event.Event
		if new(event.Decoder).Decode(raw, &before) != nil {
			return
		}
		in := &Input{JSON: bytes.Clone(raw)}
		r.apply(in)
		if err := new(event.Decoder).Decode(in.JSON, &after); err != nil {
			t.Fatalf("%s became %s: %v", raw, in.JSON, err)
		}
		if before.ID != after.ID || before.Timestamp != after.Timestamp || before.Level != after.Level {
			t.Fatalf("%s became %s", raw, in.JSON)
		}
		var fields map[string]any
		if json.Unmarshal(in.JSON, &fields) == nil {
			if text, ok := fields["password"].(string); ok && text != redacted {
				t.Fatalf("%s became %s", raw, in.JSON)
			}
		}
	})
}

func TestSampleKeepsItsShare(t *testing.T) {
	for _, share := range []float64{0.01, 0.5, 0.999, 1} {
		s, again := sampling(share), sampling(share)
		const n = 100_000
		kept := 0
		for i := range uint64(n) {
			in := &Input{EventID: numberedID(i)}
			if s.Apply(in) {
				kept++
			}
			if s.Apply(in) != again.Apply(in) {
				t.Fatal("the same event has two fates")
			}
		}
		if off := math.Abs(float64(kept)/n - share); off > 0.006 {
			t.Errorf("%v: %d of %d kept", share, kept, n)
		}
	}
}

// numberedID is an id whose bytes are random, the same for the same number.
func numberedID(n uint64) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:], n*0x9E3779B97F4A7C15)
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}
