package gateway

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSingleEventIsKeptWithItsEnvelope(t *testing.T) {
	s := serve(t)
	const id = "0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d"
	body := `{"event_id":"` + id + `", "message":"hello",  "extra":[1,2]}`
	got := s.do(request{path: pathEvents, body: body, header: map[string]string{
		"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Baggage": "secret=1",
	}})
	if got.status != 202 || got.body.Status != "accepted" || got.body.EventID != id {
		t.Fatalf("got %d %s", got.status, got.text)
	}
	records := s.producer.Stored()
	if len(records) != 1 || string(records[0].Value) != body || records[0].Key != nil {
		t.Fatalf("got records %v", records)
	}
	headers := map[string]string{}
	for _, h := range records[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	want := map[string]string{
		"v": "1", "project": "demo", "event-id": id, "received-at": "1795435200000",
		"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	if len(headers) != len(want) {
		t.Errorf("headers: got %v, want %v", headers, want)
	}
	for k, v := range want {
		if headers[k] != v {
			t.Errorf("header %s: got %q, want %q", k, headers[k], v)
		}
	}
}

func TestMissingIDIsMadeOnceAndReturned(t *testing.T) {
	s := serve(t)
	got := s.single(`{"message":"x"}`)
	id, err := uuid.Parse(got.body.EventID)
	if err != nil || id.Version() != 7 {
		t.Fatalf("got %s", got.text)
	}
	for _, h := range s.producer.Stored()[0].Headers {
		if h.Key == "event-id" && string(h.Value) != got.body.EventID {
			t.Errorf("the record has id %s, the answer %s", h.Value, got.body.EventID)
		}
	}
}

// TestAnswers is the table of answers: what is refused, how, and that nothing of it reaches Kafka.
func TestAnswers(t *testing.T) {
	s := serve(t)
	ok := `{"message":"x"}`
	key := func(name, value string) map[string]string { return map[string]string{name: value} }
	typ := func(v string) map[string]string { return map[string]string{"Content-Type": v} }
	enc := func(v string) map[string]string { return map[string]string{"Content-Encoding": v} }
	tests := []struct {
		name   string
		r      request
		status int
		code   string
	}{
		{"no key", request{path: pathEvents, body: ok, noKey: true}, 401, "unauthorized"},
		{"empty key", request{path: pathEvents, body: ok, noKey: true, header: key("Authorization", "Bearer ")}, 401, "unauthorized"},
		{"unknown key", request{path: pathEvents, body: ok, noKey: true, header: key("X-API-Key", "nope")}, 401, "unauthorized"},
		{"key with wrong end", request{path: pathEvents, body: ok, noKey: true, header: key("X-API-Key", testKey+"x")}, 401, "unauthorized"},
		{"key in the body only", request{path: pathEvents, body: `{"message":"x","api_key":"` + testKey + `"}`, noKey: true}, 401, "unauthorized"},
		{"foreign scheme", request{path: pathEvents, body: ok, noKey: true, header: key("Authorization", "Digest "+testKey)}, 401, "unauthorized"},
		{"two keys", request{path: pathEvents, body: ok, header: key("X-API-Key", "other")}, 400, "conflicting_keys"},
		{"header and query differ", request{path: pathEvents + "?api_key=other", body: ok}, 400, "conflicting_keys"},
		{"empty body", request{path: pathEvents}, 400, "empty"},
		{"white space", request{path: pathEvents, body: " \n"}, 400, "empty"},
		{"cut off", request{path: pathEvents, body: `{"message":"x"`}, 400, "malformed"},
		{"no message", request{path: pathEvents, body: `{"level":"info"}`}, 400, "invalid_event"},
		{"bad level", request{path: pathEvents, body: `{"message":"x","level":"loud"}`}, 400, "invalid_event"},
		{"array on the single path", request{path: pathEvents, body: `[` + ok + `]`}, 400, "invalid_event"},
		{"empty bulk", request{path: pathBulk, body: `[]`}, 400, "empty"},
		{"bulk without a valid event", request{path: pathBulk, body: `[{"level":"info"}]`}, 400, "invalid_event"},
		{"array ends early", request{path: pathBulk, body: `[` + ok}, 400, "malformed"},
		{"wrong method", request{path: pathEvents, method: http.MethodGet}, 405, "method_not_allowed"},
		{"unknown method", request{path: pathEvents, method: "BREW"}, 405, "method_not_allowed"},
		{"unknown path", request{path: "/api/v1/event", body: ok}, 404, "not_found"},
		{"trailing slash", request{path: pathEvents + "/", body: ok}, 404, "not_found"},
		{"other case", request{path: "/API/v1/events", body: ok}, 404, "not_found"},
		{"double slash", request{path: "/api//v1/events", body: ok}, 404, "not_found"},
		{"dots", request{path: "/x/%2e%2e/api/v1/events", body: ok}, 404, "not_found"},
		{"metrics", request{path: "/metrics", method: http.MethodGet}, 404, "not_found"},
		{"pprof", request{path: "/debug/pprof/", method: http.MethodGet}, 404, "not_found"},
		{"xml", request{path: pathEvents, body: ok, header: typ("text/xml")}, 415, "unsupported_media_type"},
		{"multipart", request{path: pathEvents, body: ok, header: typ("multipart/form-data; boundary=x")}, 415, "unsupported_media_type"},
		{"utf-16", request{path: pathEvents, body: ok, header: typ("application/json; charset=utf-16")}, 415, "unsupported_media_type"},
		{"unknown encoding", request{path: pathEvents, body: ok, header: enc("lzma")}, 415, "unsupported_media_type"},
		{"two encodings", request{path: pathEvents, body: ok, header: enc("gzip, gzip")}, 415, "unsupported_media_type"},
		{"plain called gzip", request{path: pathEvents, body: ok, header: enc("gzip")}, 400, "malformed"},
		{"gzip called nothing", request{path: pathEvents, body: gzipped(t, ok)}, 400, "malformed"},
		{"gzip cut off", request{path: pathEvents, body: gzipped(t, ok)[:20], header: enc("gzip")}, 400, "malformed"},
		{"gzip with bytes behind", request{path: pathEvents, body: gzipped(t, ok) + "x", header: enc("gzip")}, 400, "malformed"},
		{"gzip bomb", request{path: pathEvents, body: strings.Repeat(gzipped(t, strings.Repeat(" ", 1<<20)), 100), header: enc("gzip")}, 413, "too_large"},
		{"long header", request{path: pathEvents, body: ok, header: key("X-Long", strings.Repeat("a", 17_000))}, 431, "too_large"},
		{"long path", request{path: "/" + strings.Repeat("a", 17_000), body: ok}, 431, "too_large"},
	}
	var unauthorized string
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := s.do(test.r)
			if got.status != test.status || got.body.Code != test.code {
				t.Fatalf("got %d %s, want %d %s", got.status, got.text, test.status, test.code)
			}
			if got.body.Error == "" || got.body.Retryable == nil || *got.body.Retryable {
				t.Errorf("got %s, want a sentence and retryable false", got.text)
			}
			if got.header.Get("X-Request-Id") == "" || got.body.RequestID != got.header.Get("X-Request-Id") {
				t.Errorf("request id: header %q, body %q", got.header.Get("X-Request-Id"), got.body.RequestID)
			}
			if strings.Contains(got.text, testKey) || strings.Contains(got.text, "nope") {
				t.Errorf("the answer repeats the request: %s", got.text)
			}
			switch got.status {
			case 401:
				plain := strings.ReplaceAll(got.text, got.body.RequestID, "")
				if unauthorized == "" {
					unauthorized = plain
				}
				if plain != unauthorized || got.header.Get("WWW-Authenticate") != "Bearer" {
					t.Errorf("a 401 differs from the others: %s %v", got.text, got.header)
				}
			case 405:
				if got.header.Get("Allow") != "POST" {
					t.Errorf("Allow: %q", got.header.Get("Allow"))
				}
			case 415:
				if got.header.Get("Accept-Encoding") == "" {
					t.Error("no Accept-Encoding")
				}
			}
		})
	}
	if n := len(s.producer.Stored()); n != 0 {
		t.Errorf("%d refused events reached Kafka", n)
	}
}

func TestAcceptedForms(t *testing.T) {
	s := serve(t)
	ok := `{"message":"x"}`
	tests := []struct {
		name string
		r    request
	}{
		{"no content type", request{path: pathEvents, body: ok}},
		{"json", request{path: pathEvents, body: ok, header: map[string]string{"Content-Type": "application/json; charset=UTF-8"}}},
		{"json, utf8", request{path: pathEvents, body: ok, header: map[string]string{"Content-Type": "application/json;charset=utf8"}}},
		{"beacon", request{path: pathEvents + "?api_key=" + testKey, body: ok, noKey: true, header: map[string]string{"Content-Type": "text/plain;charset=UTF-8"}}},
		{"lower-case bearer", request{path: pathEvents, body: ok, noKey: true, header: map[string]string{"Authorization": "bearer " + testKey}}},
		{"x-api-key", request{path: pathEvents, body: ok, noKey: true, header: map[string]string{"X-API-Key": testKey}}},
		{"bare sentry key", request{path: pathEvents, body: ok, noKey: true, header: map[string]string{"X-Sentry-Auth": testKey}}},
		{"sentry header", request{path: pathEvents, body: ok, noKey: true, header: map[string]string{"X-Sentry-Auth": "Sentry sentry_version=7, sentry_key=" + testKey + ", sentry_client=x/1"}}},
		{"basic", request{path: pathEvents, body: ok, noKey: true, header: map[string]string{"Authorization": "Basic dGVzdC1rZXk6"}}},
		{"the same key twice", request{path: pathEvents + "?api_key=" + testKey, body: ok}},
		{"gzip", request{path: pathEvents, body: gzipped(t, ok), header: map[string]string{"Content-Encoding": "gzip"}}},
		{"GZIP", request{path: pathEvents, body: gzipped(t, ok), header: map[string]string{"Content-Encoding": "GZIP"}}},
		{"x-gzip", request{path: pathEvents, body: gzipped(t, ok), header: map[string]string{"Content-Encoding": "X-Gzip"}}},
		{"two gzip members", request{path: pathEvents, body: gzipped(t, `{"mess`) + gzipped(t, `age":"x"}`), header: map[string]string{"Content-Encoding": "gzip"}}},
		{"identity", request{path: pathEvents, body: ok, header: map[string]string{"Content-Encoding": "identity"}}},
		{"chunked", request{path: pathEvents, body: ok, chunked: true}},
		{"lone surrogate", request{path: pathEvents, body: `{"message":"\ud800"}`}},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := s.do(test.r); got.status != 202 {
				t.Fatalf("got %d %s", got.status, got.text)
			}
			if n := len(s.producer.Stored()); n != i+1 {
				t.Errorf("%d records after %d events", n, i+1)
			}
		})
	}
}

func TestRequestIDIsEchoedIfHarmless(t *testing.T) {
	s := serve(t)
	for id, echoed := range map[string]bool{
		"abc-DEF_123": true, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false, "a b": false, "ü": false,
	} {
		got := s.do(request{path: pathHealth, method: http.MethodGet, header: map[string]string{"X-Request-Id": id}})
		if is := got.header.Get("X-Request-Id"); (is == id) != echoed || is == "" {
			t.Errorf("%q: got %q", id, is)
		}
	}
}
