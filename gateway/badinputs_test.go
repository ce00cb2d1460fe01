package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode/utf16"
)

// badInput is one that somebody will send some day, and its answer.
type badInput struct {
	name, body string
	status     int
	code       string // of a refusal
}

const (
	malformed = "malformed"
	invalid   = "invalid_event"
)

// with is an event that has a field with a value, as JSON.
func with(field, value string) string { return fmt.Sprintf(`{"message":"x",%q:%s}`, field, value) }

func nested(depth int) string {
	return with("deep", strings.Repeat("[", depth-1)+strings.Repeat("]", depth-1))
}

// manyKeys is an object with n names.
func manyKeys(n int) string {
	var b strings.Builder
	b.WriteString(`{"message":"x"`)
	for i := range n {
		fmt.Fprintf(&b, `,"%x":0`, i)
	}
	return b.String() + "}"
}

func utf16Of(text string, bigEndian bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
		if bigEndian {
			b.WriteString(string([]byte{byte(u >> 8), byte(u)}))
		} else {
			b.WriteString(string([]byte{byte(u), byte(u >> 8)}))
		}
	}
	return b.String()
}

// badJSON: strict JSON, and what is an event.
func badJSON() []badInput {
	out := []badInput{
		{"cut off", `{"message":"x"`, 400, malformed},
		{"cut off in a string", `{"message":"x`, 400, malformed},
		{"two values", `{"message":"x"} {"message":"y"}`, 400, malformed},
		{"a comment", `{"message":"x"/* why */}`, 400, malformed},
		{"a trailing comma", `{"message":"x",}`, 400, malformed},
		{"NaN", with("n", "NaN"), 400, malformed},
		{"Infinity", with("n", "-Infinity"), 400, malformed},
		{"a leading zero", with("n", "01"), 400, malformed},
		{"a name twice", `{"message":"x","message":"y"}`, 400, malformed},
		{"a name twice, escaped differently", `{"message":"x","messag\u0065":"y"}`, 400, malformed},
		{"a name twice, deep", with("a", `[{"b":1,"\u0062":2}]`), 400, malformed},
		{"a name in other letters", with("EVENT_ID", `"kept"`), 202, ""},
		{"bad UTF-8 in a value", "{\"message\":\"\xff\"}", 400, malformed},
		{"bad UTF-8 in a name", "{\"message\":\"x\",\"\xc3\x28\":1}", 400, malformed},
		{"an overlong slash", "{\"message\":\"\xc0\xaf\"}", 400, malformed},
		{"a surrogate in UTF-8", "{\"message\":\"\xed\xa0\x80\"}", 400, malformed},
		{"a lone surrogate", `{"message":"\ud800"}`, 202, ""},
		{"a lone low surrogate", `{"message":"x\udc00y"}`, 202, ""},
		{"an escaped NUL", `{"message":"a\u0000b"}`, 202, ""},
		{"a raw control character", "{\"message\":\"a\x01b\"}", 400, malformed},
		{"a raw NUL", "{\"message\":\"a\x00b\"}", 400, malformed},
		{"depth 64", nested(64), 202, ""},
		{"depth 65", nested(65), 400, malformed},
		{"depth 100,000", nested(100_000), 400, malformed},
		{"100,000 open brackets", strings.Repeat("[", 100_000), 400, malformed},
		{"65,000 names", manyKeys(65_000), 202, ""},
		{"200,000 names", manyKeys(200_000), 413, "too_large"},
		{"340,000 {}", with("a", "["+strings.TrimSuffix(strings.Repeat("{},", 340_000), ",")+"]"), 202, ""},
		{"350,000 {}", with("a", "["+strings.TrimSuffix(strings.Repeat("{},", 350_000), ",")+"]"), 413, "too_large"},
		{"one string of the whole limit", eventOf(1 << 20), 202, ""},
		{"1e400", with("n", "1e400"), 202, ""},
		{"400 digits", with("n", strings.Repeat("9", 400)), 202, ""},
		{"2^53+1", with("n", "9007199254740993"), 202, ""},
		{"null", `null`, 400, invalid},
		{"an array", `[]`, 400, invalid},
		{"a string", `"x"`, 400, invalid},
		{"a number", `1`, 400, invalid},
		{"an empty object", `{}`, 400, invalid},
		{"UTF-16, little", utf16Of(`{"message":"x"}`, false), 400, malformed},
		{"UTF-16, big", utf16Of(`{"message":"x"}`, true), 400, malformed},
		{"a byte order mark", "\ufeff" + `{"message":"x"}`, 400, malformed},
		{"event_id empty", with("event_id", `""`), 400, invalid},
		{"event_id of a megabyte", with("event_id", `"`+strings.Repeat("a", 1<<20-100)+`"`), 400, invalid},
		{"event_id not a UUID", with("event_id", `"0193b3c4-5d6e-4a7b-8c9d"`), 400, invalid},
		{"event_id nil", with("event_id", `"00000000-0000-0000-0000-000000000000"`), 400, invalid},
		{"event_id nil without dashes", with("event_id", `"00000000000000000000000000000000"`), 400, invalid},
		{"event_id in braces", with("event_id", `"{0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d}"`), 400, invalid},
		{"a message of white space", `{"message":" \t\n "}`, 400, invalid},
		{"a message of 64 KiB and one", `{"message":"` + strings.Repeat("m", 64<<10+1) + `"}`, 202, ""},
		{"257 tags", with("tags", "{"+tagList(257)+"}"), 202, ""},
		{"nested tags", with("tags", `{"a":{"b":[1]}}`), 202, ""},
		{"tags as pairs", with("tags", `[["a","b"],["c","d"]]`), 202, ""},
		{"a level nobody knows", with("level", `"loud"`), 400, invalid},
	}
	for _, field := range []string{"event_id", "level", "environment", "release", "platform", "server_name", "transaction", "trace_id"} {
		out = append(out,
			badInput{field + " null", with(field, "null"), 202, ""},
			badInput{field + " a number", with(field, "1"), 400, invalid},
			badInput{field + " an array", with(field, "[]"), 400, invalid})
	}
	for _, field := range []string{"exception", "user", "sdk"} {
		out = append(out,
			badInput{field + " null", with(field, "null"), 202, ""},
			badInput{field + " a number", with(field, "1"), 400, invalid},
			badInput{field + " an array", with(field, "[]"), 400, invalid})
	}
	return append(out,
		badInput{"message null", `{"message":null}`, 400, invalid},
		badInput{"message a number", `{"message":1}`, 400, invalid},
		badInput{"message an array", `{"message":["x"]}`, 400, invalid},
		badInput{"stacktrace a number", with("stacktrace", "1"), 400, invalid},
		badInput{"tags a number", with("tags", "1"), 400, invalid},
		badInput{"fingerprint a number", with("fingerprint", "1"), 400, invalid},
	)
}

func tagList(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"k%d":"v"`, i)
	}
	return strings.Join(parts, ",")
}

// strangeMeaning is never refused: times that cannot be, text that means something elsewhere, and names that are ours.
func strangeMeaning() []badInput {
	var out []badInput
	for _, ts := range []string{
		`1700000000`, `1700000000000`, `1700000000000000`, `"1700000000"`, `"1700000000000"`, `0`, `-1`, `1e30`, `1700000000.5`,
		`"0000-01-01T00:00:00Z"`, `"1969-12-31T23:59:59Z"`, `"2106-02-07T06:28:16Z"`, `"9999-12-31T23:59:59Z"`, `"2026-11-23T11:59:60Z"`,
		`"2026-11-23T12:00:00+14:00"`, `"2026-11-23T12:00:00"`, `"2026-11-23T13:01:00Z"`, `"yesterday"`, `""`, `null`,
	} {
		out = append(out, badInput{"timestamp " + ts, with("timestamp", ts), 202, ""})
	}
	for _, text := range []string{`<script>alert(1)</script>`, `=cmd|' /C calc'!A0`, `${jndi:ldap://x/a}`, `'; DROP TABLE events; --`, `{{7*7}}`, `%s%n%x`, `../../etc/passwd`} {
		out = append(out, badInput{text, fmt.Sprintf(`{"message":%q}`, text), 202, ""})
	}
	for _, field := range []string{"project", "project_id", "received_at", "_offset", "_topic", "__proto__", "constructor"} {
		out = append(out, badInput{field, with(field, `"mine"`), 202, ""})
	}
	return out
}

// TestBadEvents: each has its answer; what is refused does not reach Kafka, what is kept is kept as it came.
func TestBadEvents(t *testing.T) {
	s := serve(t)
	kept := 0
	for _, in := range append(badJSON(), strangeMeaning()...) {
		t.Run(in.name, func(t *testing.T) {
			got := s.single(in.body)
			if got.status != in.status || got.body.Code != in.code {
				t.Fatalf("got %d %.300s, want %d %s", got.status, got.text, in.status, in.code)
			}
			if in.status == 202 {
				kept++
			}
			records := s.producer.Stored()
			if len(records) != kept {
				t.Fatalf("%d records, want %d", len(records), kept)
			}
			repaired := strings.NewReplacer(`\ud800`, `\ufffd`, `\udc00`, `\ufffd`).Replace(in.body)
			if in.status == 202 && string(records[kept-1].Value) != in.body && string(records[kept-1].Value) != repaired {
				t.Errorf("it became %.300q", records[kept-1].Value)
			}
			if in.status == 202 {
				for _, h := range records[kept-1].Headers {
					if h.Key == "project" && string(h.Value) != "demo" {
						t.Errorf("project %q", h.Value)
					}
				}
			}
		})
	}
}

// TestBadBulks: what is wrong with one event concerns it alone as long as its end can be found.
func TestBadBulks(t *testing.T) {
	ok := `{"message":"x"}`
	days := make([]string, 10_000)
	for i := range days {
		days[i] = fmt.Sprintf(`{"message":"x","timestamp":%d}`, i*86_400)
	}
	ndjson := map[string]string{"Content-Type": "application/x-ndjson"}
	long := `{"message":"x","fill":"` + strings.Repeat("a", 5<<20-200) + `"}`
	for _, c := range []struct {
		name                           string
		r                              request
		status                         int
		code                           string
		accepted, rejected, duplicates int
	}{
		{"[]", request{body: `[]`}, 400, "empty", 0, 0, 0},
		{"{}", request{body: `{}`}, 400, "empty", 0, 0, 0},
		{"events of nothing", request{body: `{"events":[]}`}, 400, "empty", 0, 0, 0},
		{"events of something else", request{body: `{"events":1}`}, 400, malformed, 0, 0, 0},
		{"null", request{body: `null`}, 400, malformed, 0, 0, 0},
		{"nothing", request{}, 400, "empty", 0, 0, 0},
		{"10,001 events", request{body: events(10_001, nil)}, 413, "too_large", 0, 0, 0},
		{"one bad of 1,000", request{body: events(1000, func(i int) string {
			if i == 500 {
				return `{"message":1}`
			}
			return ""
		})}, 202, "", 999, 1, 0},
		{"one with bad UTF-8", request{body: "[" + ok + ",{\"message\":\"\xff\"}," + ok + "]"}, 202, "", 2, 1, 0},
		{"one with a control character", request{body: "[" + ok + ",{\"message\":\"\x01\"}," + ok + "]"}, 202, "", 2, 1, 0},
		{"one with a name twice", request{body: "[" + ok + `,{"message":"a","message":"b"},` + ok + "]"}, 202, "", 2, 1, 0},
		{"things that are no events", request{body: "[" + ok + `,null,1,"x",[],` + ok + "]"}, 202, "", 2, 4, 0},
		{"the same id twice", request{body: `[{"event_id":"0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d","message":"a"},` +
			`{"event_id":"0193B3C45D6E4A7B8C9D0E1F2A3B4C5D","message":"b"}]`}, 202, "", 1, 0, 1},
		{"an array that ends early", request{body: "[" + ok + "," + ok}, 400, malformed, 0, 0, 0},
		{"two arrays", request{body: "[" + ok + "][" + ok + "]"}, 400, malformed, 0, 0, 0},
		{"one over 1 MiB among small ones", request{body: "[" + ok + "," + eventOf(1<<20+1) + "," + ok + "]"}, 202, "", 2, 1, 0},
		{"10,000 different days", request{body: "[" + strings.Join(days, ",") + "]"}, 202, "", 10_000, 0, 0},
		{"lines with CRLF", request{body: ok + "\r\n" + ok + "\r\n", header: ndjson}, 202, "", 2, 0, 0},
		{"blank lines", request{body: "\n\n" + ok + "\n \n\t\n" + ok + "\n\n", header: ndjson}, 202, "", 2, 0, 0},
		{"no last newline", request{body: ok + "\n" + ok, header: ndjson}, 202, "", 2, 0, 0},
		{"only blank lines", request{body: "\n \r\n\t\n", header: ndjson}, 400, "empty", 0, 0, 0},
		{"a line of 5 MB", request{body: ok + "\n" + long, header: ndjson}, 202, "", 1, 1, 0},
		{"a line of 5 MB alone", request{body: long, header: ndjson}, 400, invalid, 0, 1, 0},
		{"a line cut off", request{body: ok + "\n" + `{"message":"x"`, header: ndjson}, 202, "", 1, 1, 0},
		{"two events on a line", request{body: ok + ok + "\n" + ok, header: ndjson}, 202, "", 1, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t)
			c.r.path = pathBulk
			got := s.do(c.r)
			if got.status != c.status || got.body.Code != c.code {
				t.Fatalf("got %d %.300s, want %d %s", got.status, got.text, c.status, c.code)
			}
			if got.body.Accepted != c.accepted || got.body.Rejected != c.rejected || got.body.Duplicates != c.duplicates {
				t.Errorf("accepted %d, rejected %d, duplicates %d", got.body.Accepted, got.body.Rejected, got.body.Duplicates)
			}
			if n := len(s.producer.Stored()); n != c.accepted {
				t.Errorf("%d records", n)
			}
			if again := s.single(ok); again.status != 202 {
				t.Errorf("afterwards: got %d", again.status)
			}
		})
	}
}

// badKeys are header values and what they lead to; nobody has any of them.
var badKeys = []string{
	"", "nope", testKey[:len(testKey)-1], testKey + "x", "Test-Key", "tеst-key", "test\u200b-key", // Cyrillic е, zero width
	"' OR '1'='1", "test-key'; --", "../../test-key", "%74est-key", "test-key,other", hash(testKey), "null", "undefined",
}

// TestBadKeys: one identical 401, wherever the key is.
func TestBadKeys(t *testing.T) {
	s := serve(t)
	plain := ""
	for _, key := range badKeys {
		for _, header := range []string{"Authorization", "X-API-Key", "X-Sentry-Auth"} {
			value := key
			if header == "Authorization" {
				value = "Bearer " + key
			}
			got := s.do(request{path: pathEvents, body: `{"message":"x"}`, noKey: true, header: map[string]string{header: value}})
			text := strings.ReplaceAll(got.text, got.body.RequestID, "")
			if plain == "" {
				plain = text
			}
			if got.status != 401 || text != plain || got.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s %q: got %d %s", header, key, got.status, got.text)
			}
		}
	}
	head := "POST " + pathEvents + " HTTP/1.1\r\nHost: a\r\nContent-Length: 15\r\n"
	for name, c := range map[string]struct {
		headers string
		status  int
	}{
		"a key of a megabyte":          {"X-Api-Key: " + strings.Repeat("k", 1<<20) + "\r\n", 431},
		"a key with NUL":               {"X-Api-Key: test\x00-key\r\n", 400},
		"a key with CR":                {"X-Api-Key: test\r-key\r\n", 400},
		"a key with CRLF, percent":     {"X-Api-Key: test-key%0d%0aX-Api-Key: " + testKey + "\r\n", 401},
		"two Authorizations, the same": {"Authorization: Bearer " + testKey + "\r\nAuthorization: bearer " + testKey + "\r\n", 202},
		"two Authorizations":           {"Authorization: Bearer " + testKey + "\r\nAuthorization: Bearer other\r\n", 400},
		"a folded key":                 {"X-Api-Key: test\r\n -key\r\n", 400},
	} {
		status, body, _ := s.raw(head + c.headers + "\r\n" + `{"message":"x"}`)
		if status != c.status {
			t.Errorf("%s: got %d %s", name, status, body)
		}
	}
	if n := len(s.producer.Stored()); n != 1 {
		t.Errorf("%d records", n)
	}
}

// TestNothingGetsPastTheLimit: neither other spellings of the path, nor other addresses, nor the project's other keys, nor
// bulks in place of single events.
func TestNothingGetsPastTheLimit(t *testing.T) {
	two := strings.Replace(limited(3, "60s"), "keys: [", fmt.Sprintf("keys: [{name: other, sha256: %q}, ", hash("other-key")), 1)
	s := serve(t, withProjects(t, two))
	ok := `{"message":"x"}`
	for range 3 {
		if got := s.single(ok); got.status != 202 {
			t.Fatalf("got %d", got.status)
		}
	}
	for _, r := range []request{
		{path: pathEvents}, {path: pathBulk}, {path: pathBulk, body: events(100, nil)}, {path: pathBulk + "?atomic=true"},
		{path: pathEvents + "?x=1"}, {path: pathEvents + "?api_key=" + testKey},
		{path: pathEvents, noKey: true, header: map[string]string{"X-API-Key": "other-key"}},
		{path: pathEvents, noKey: true, header: map[string]string{"Authorization": "Basic dGVzdC1rZXk6"}},
		{path: pathEvents, header: map[string]string{"X-Forwarded-For": "198.51.100.1", "X-Real-Ip": "198.51.100.1", "Forwarded": "for=198.51.100.1"}},
		{path: pathEvents, header: map[string]string{"X-HTTP-Method-Override": "PUT", "X-Original-URL": "/x", "Idempotency-Key": "a"}},
		{path: pathEvents, header: map[string]string{"Content-Encoding": "gzip"}, body: gzipped(t, ok)},
		{path: pathEvents, chunked: true},
	} {
		if r.body == "" {
			r.body = ok
		}
		if got := s.do(r); got.status != 429 {
			t.Errorf("%s %v: got %d %s", r.path, r.header, got.status, got.text)
		}
	}
	for path, want := range map[string]int{
		"/API/V1/EVENTS": 404, pathEvents + "/": 404, "//api/v1/events": 404, "/api/v1/./events": 404, "/api/v1/%65vents": 404,
		"/api/v1/events%2f": 404, "/api/v1/events;x": 404, "/x/..;/api/v1/events": 404, "/admin": 404, "/api/v1/events/bulk/": 404,
	} {
		if got, _, _ := s.raw("POST " + path + " HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + testKey + "\r\nContent-Length: 15\r\n\r\n" + ok); got != want {
			t.Errorf("%s: got %d", path, got)
		}
	}
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodGet} {
		if got := s.do(request{path: pathEvents, method: method, body: ok}); got.status != 405 {
			t.Errorf("%s: got %d", method, got.status)
		}
	}
	if n := len(s.producer.Stored()); n != 3 {
		t.Errorf("%d records", n)
	}
}

// TestBadRequestIDs: what could hurt a terminal or a log is not repeated.
func TestBadRequestIDs(t *testing.T) {
	s := serve(t)
	for _, id := range []string{"\x1b[31mred", "a\tb", strings.Repeat("a", 3<<10), "<b>", "a%0ab", "", "-", "_"} {
		status, text, _ := s.raw("GET " + pathHealth + " HTTP/1.1\r\nHost: a\r\nX-Request-Id: " + id + "\r\n\r\n")
		if status != 200 && status != 400 {
			t.Errorf("%q: got %d", id, status)
		}
		if len(id) > 1 && strings.Contains(text, id) {
			t.Errorf("%q is repeated", id)
		}
	}
}
