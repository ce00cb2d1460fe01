package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"sluice/internal/strictjson"
	"strings"
	"testing"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzDecode compares what is accepted with another strict JSON reader and with the rules for fields written a second
// time, over maps.
func FuzzDecode(f *testing.F) {
	for _, seeds := range []map[string]string{malformedJSON, oddButValid} {
		for _, seed := range seeds {
			f.Add([]byte(seed))
		}
	}
	for value := range timestamps {
		f.Add([]byte(withField("timestamp", value)))
	}
	for _, seed := range []string{
		nested("[", "]", MaxDepth-1), nested("[", "]", MaxDepth), `null`, ``, `{}`,
		`{"event_id":"0190A5B27c3d7e4f8a1b2c3d4e5f6a7b","level":"WARN","tags":[["a",1],["b","c"]],"exception":{"type":"T"}}`,
		`{"message":"m","stacktrace":[{"filename":"a","lineno":1,"in_app":true}],"user":{"id":1},"sdk":{"name":"s"},"fingerprint":["a"]}`,
		`{"@timestamp":"2026-11-28T04:37:10.896Z","log":"l","msg":"m","severity":3,"host":{"name":"h"}}`,
	} {
		f.Add([]byte(seed))
	}
	var d Decoder
	var ev Event
	f.Fuzz(func(t *testing.T, raw []byte) {
		checkMemory(t, &d, raw)
		before := bytes.Clone(raw)
		err := d.Decode(raw, &ev)
		if !bytes.Equal(raw, before) {
			t.Fatal("the input was written to")
		}
		repaired := referenceRepair(raw)
		var got *Error
		errors.As(err, &got)
		if want := referenceCode(repaired); got == nil && want != "" || got != nil && got.Code != want {
			t.Fatalf("%q: %v, want %q", raw, got, want)
		}
		if got != nil {
			return
		}
		if payload := ev.AppendPayload(nil, raw); !bytes.Equal(payload, repaired) || ev.NeedsRepair() == bytes.Equal(payload, raw) {
			t.Fatalf("%q: payload %q, want %q", raw, payload, repaired)
		}
		checkTexts(t, repaired, &ev)
	})
}

var surrogates = regexp.MustCompile(`(?s)\\u[dD][89abAB][[:xdigit:]]{2}\\u[dD][c-fC-F][[:xdigit:]]{2}|\\u[dD][89a-fA-F][[:xdigit:]]{2}|\\.`)

func referenceRepair(raw []byte) []byte {
	return surrogates.ReplaceAllFunc(raw, func(m []byte) []byte {
		if len(m) == strictjson.EscapeLen {
			return []byte(strictjson.Replacement)
		}
		return m
	})
}

// referenceCode says what the refusal of an event should be, or "".
func referenceCode(raw []byte) Code {
	if len(bytes.Trim(raw, " \t\r\n")) == 0 {
		return CodeEmpty
	}
	if !referenceJSON(raw) {
		return CodeMalformed
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return CodeMalformed
	}
	if object, ok := value.(map[string]any); !ok || !referenceEvent(object) {
		return CodeInvalidEvent
	}
	return ""
}

func referenceJSON(raw []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	for depth := 0; ; {
		token, err := dec.ReadToken()
		if err != nil {
			return false
		}
		switch token.Kind() {
		case '{', '[':
			if depth++; depth > MaxDepth {
				return false
			}
		case '}', ']':
			depth--
		}
		if depth == 0 {
			_, err = dec.ReadToken()
			return err == io.EOF
		}
	}
}

func isString(v any) bool { _, ok := v.(string); return ok }
func isNumber(v any) bool { _, ok := v.(json.Number); return ok }
func isBool(v any) bool   { _, ok := v.(bool); return ok }

// fits checks members that may be absent or null.
func fits(m map[string]any, is func(any) bool, names ...string) bool {
	for _, name := range names {
		if v := m[name]; v != nil && !is(v) {
			return false
		}
	}
	return true
}

func objectThat(rule func(map[string]any) bool) func(any) bool {
	return func(v any) bool { m, ok := v.(map[string]any); return ok && rule(m) }
}

func arrayOf(rule func(any) bool) func(any) bool {
	return func(v any) bool {
		a, ok := v.([]any)
		for _, item := range a {
			ok = ok && rule(item)
		}
		return ok
	}
}

func either(a, b func(any) bool) func(any) bool { return func(v any) bool { return a(v) || b(v) } }

func referenceEvent(m map[string]any) bool {
	said := func(m map[string]any, names ...string) bool {
		for _, name := range names {
			if s, _ := m[name].(string); strings.TrimSpace(s) != "" {
				return true
			}
		}
		return false
	}
	exception, _ := m["exception"].(map[string]any)
	typ, _ := exception["type"].(string)
	return (strings.TrimSpace(referenceFilled(m, "message", "msg", "log")) != "" || said(exception, "type", "value") || typ == "" && said(exception, "type_name")) &&
		fits(m, isString, "message", "environment", "release", "platform", "server_name", "transaction", "trace_id", "sdk_name", "sdk_version") &&
		fits(m, either(isString, isNumber), "timestamp") &&
		fits(m, func(v any) bool { s, ok := v.(string); return ok && levels.MatchString(s) }, "level") &&
		fits(m, func(v any) bool { s, ok := v.(string); return ok && ids.MatchString(s) && strings.Trim(s, "0-") != "" }, "event_id") &&
		fits(m, either(isString, arrayOf(isString)), "fingerprint") &&
		fits(m, objectThat(func(m map[string]any) bool {
			return fits(m, isString, "type", "type_name", "value", "module", "module_name")
		}), "exception") &&
		fits(m, arrayOf(objectThat(func(m map[string]any) bool {
			return fits(m, isString, "filename", "function", "function_name", "context_line") &&
				fits(m, isNumber, "lineno", "colno") && fits(m, isBool, "in_app")
		})), "stacktrace") &&
		fits(m, objectThat(func(m map[string]any) bool {
			return fits(m, either(isString, isNumber), "id") && fits(m, isString, "email")
		}), "user", "user_context") &&
		fits(m, objectThat(func(m map[string]any) bool { return fits(m, isString, "name", "version") }), "sdk") &&
		fits(m, either(objectThat(func(map[string]any) bool { return true }), arrayOf(func(v any) bool {
			pair, ok := v.([]any)
			return ok && len(pair) == 2 && isString(pair[0])
		})), "tags")
}

// referenceFilled returns the first member that is a string and not empty.
func referenceFilled(m map[string]any, names ...string) string {
	for _, name := range names {
		if s, _ := m[name].(string); s != "" {
			return s
		}
	}
	return ""
}

var (
	levels = regexp.MustCompile(`^(?i:fatal|critical|crit|alert|emerg|emergency|panic|error|err|warning|warn|info|information|notice|log|debug|trace|verbose)$`)
	ids    = regexp.MustCompile(`^[[:xdigit:]]{8}(-?)[[:xdigit:]]{4}(-?)[[:xdigit:]]{4}(-?)[[:xdigit:]]{4}(-?)[[:xdigit:]]{12}$`)
)

// checkTexts compares the texts of an accepted event with another reader's.
func checkTexts(t *testing.T, payload []byte, ev *Event) {
	t.Helper()
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]Text{
		"environment": ev.Environment, "release": ev.Release, "platform": ev.Platform,
		"transaction": ev.Transaction, "trace_id": ev.TraceID,
	} {
		if want, _ := m[name].(string); text.String() != want {
			t.Fatalf("%s is %q, want %q", name, text, want)
		}
	}
	if want := referenceFilled(m, "message", "msg", "log"); ev.Message.String() != want {
		t.Fatalf("the message is %q, want %q", ev.Message, want)
	}
	if want := referenceFilled(m, "server_name", "host"); ev.ServerName.String() != want {
		t.Fatalf("the server is %q, want %q", ev.ServerName, want)
	}
	if tags, ok := m["tags"].(map[string]any); ok && len(ev.Tags) != min(len(tags), MaxTags) {
		t.Fatalf("%d tags, want %d", len(ev.Tags), len(tags))
	}
	for _, tag := range ev.Tags {
		if want, ok := m["tags"].(map[string]any); ok {
			if s, ok := want[tag.Key.String()].(string); ok && s != tag.Value.String() {
				t.Fatalf("tag %q is %q, want %q", tag.Key, tag.Value, s)
			}
		}
	}
	if message := ev.MessageText(); strings.TrimFunc(message, unicode.IsSpace) == "" || len(message) > MaxMessageBytes {
		t.Fatalf("the message column holds %q", message)
	} else if plain, ok := ev.PlainMessage(); ok && string(plain) != message {
		t.Fatalf("the message column holds %q, and as it is %q", message, plain)
	}
	ev.FingerprintHash(nil)
}
