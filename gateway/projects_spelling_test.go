package gateway

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"os"
)

// loaded writes a file of that name and reads it.
func loaded(t *testing.T, name, text string) (*Projects, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadProjects(path, nil, time.Unix(1_800_000_000, 0))
}

// forms are the ways to write a project with one field of that spelling; %s is the field's value.
func forms(field string) map[string]string {
	key := hash("k")
	values := map[string]string{
		"id":     "id: %s, keys: [{name: k, sha256: \"" + key + "\"}]",
		"sha256": "id: a, keys: [{name: k, sha256: %s}]",
		"name":   "id: a, keys: [{name: %s, sha256: \"" + key + "\"}]",
		"events": "id: a, keys: [{name: k, sha256: \"" + key + "\"}], limit: {events: %s}",
		"window": "id: a, keys: [{name: k, sha256: \"" + key + "\"}], limit: {window: %s}",
		"origin": "id: a, keys: [{name: k, sha256: \"" + key + "\"}], origins: [%s]",
		"off":    "id: a, keys: [{name: k, sha256: \"" + key + "\"}], disabled: %s",
	}
	block := map[string]string{
		"id":     "  - id: %s\n    keys:\n      - {name: k, sha256: \"" + key + "\"}\n",
		"sha256": "  - id: a\n    keys:\n      - name: k\n        sha256: %s\n",
		"name":   "  - id: a\n    keys:\n      - name: %s\n        sha256: \"" + key + "\"\n",
		"events": "  - id: a\n    limit:\n      events: %s\n    keys:\n      - sha256: \"" + key + "\"\n",
		"window": "  - id: a\n    limit:\n      window: %s\n    keys:\n      - sha256: \"" + key + "\"\n",
		"origin": "  - id: a\n    origins:\n    - %s\n    keys:\n      - sha256: \"" + key + "\"\n",
		"off":    "  - id: a\n    disabled: %s\n    keys:\n      - sha256: \"" + key + "\"\n",
	}
	return map[string]string{"flow": "projects: [{" + values[field] + "}]\n", "block": "projects:\n" + block[field]}
}

// spelled reads a field's value in every form. All forms must agree.
func spelled(t *testing.T, field, value string) (*project, error) {
	t.Helper()
	var out *project
	var last error
	n := 0
	for form, text := range forms(field) {
		projects, err := loaded(t, "projects.yaml", fmt.Sprintf(text, value))
		if n++; n > 1 && (err == nil) != (last == nil) {
			t.Errorf("%s %s, %s: %v; in the other form: %v", field, value, form, err, last)
		}
		if last = err; err == nil {
			out = projects.find([]byte("k"))
		}
	}
	return out, last
}

// TestOddIDs: an id is what is written, or it is refused with the advice to quote it.
func TestOddIDs(t *testing.T) {
	for value, want := range map[string]string{
		`"074763617300"`: "074763617300", `'0755'`: "0755", `"1_000"`: "1_000", `"0x1f"`: "0x1f", `"no"`: "no", `"null"`: "null", `"1e3"`: "1e3", `"2026-11-28"`: "2026-11-28",
		"shop": "shop", "3d-shop": "3d-shop", "a1_000": "a1_000", "nope": "nope", "nan": "nan", "e3": "e3", "shop-0755": "shop-0755", "0755a": "0755a",
	} {
		if p, err := spelled(t, "id", value); err != nil || p.id != want {
			t.Errorf("%s: %v, %v", value, p, err)
		}
	}
	for _, value := range []string{
		"074763617300", "0755", "755", "0x1f", "0X1F", "0o17", "0b11", "1_000", "1_0", "1.0", "1.", "1e3", "1e-3", ".5", ".inf", ".nan", "-1", "+1", "0",
		"yes", "no", "on", "off", "true", "false", "y", "n", "True", "NO", "2026-11-28", "2026-1-1", "1:20", "12:30:45", "0_7", "00", "123456789012345678901234567890",
	} {
		if p, err := spelled(t, "id", value); err == nil {
			t.Errorf("%s: accepted as %q", value, p.id)
		} else if !strings.Contains(err.Error(), "put it in quotes") || !strings.Contains(err.Error(), "projects.yaml: line ") {
			t.Errorf("%s: %v", value, err)
		}
	}
	for _, value := range []string{
		"~", "null", `""`, "[a]", "{a: b}", "!!str 0755", "!!binary YQ==", "!x a", "&a a", "*a", `"A"`, `"a b"`, `"a\n"`, `" a"`, "shop.eu", "Shop", "ü", strings.Repeat("a", 65),
		"|\n      a\n", ">-\n      a b\n", "? a", "`a`", "@a", "%a",
	} {
		for form, text := range forms("id") {
			if projects, err := loaded(t, "projects.yaml", fmt.Sprintf(text, value)); err == nil {
				t.Errorf("%s, %s: accepted as %q", value, form, projects.ids.get(0))
			}
		}
	}
}

// TestOddKeys: a digest is 64 hex digits in either case; a key in its place is not repeated.
func TestOddKeys(t *testing.T) {
	good := hash("k")
	for _, value := range []string{good, strings.ToUpper(good), `"` + good + `"`, "'" + strings.ToUpper(good) + "'"} {
		if p, err := spelled(t, "sha256", value); err != nil || p == nil || p.id != "a" {
			t.Errorf("%s: %v, %v", value, p, err)
		}
	}
	const secret = "hunter2"
	for _, value := range []string{
		"sk_" + secret + "Sqkk3JH2v0Z1", `"` + secret + `"`, secret, `"` + good[:63] + `"`, `"` + good + `0"`, `"` + good[:62] + `zz"`, `" ` + good + `"`, `"` + good + `\n"`, `"0x` + good[:62] + `"`,
		strings.Repeat("1", 64), strings.Repeat("0", 64), "1e" + strings.Repeat("1", 62), strings.Repeat("7", 60) + "e100", "0x" + strings.Repeat("1", 62), "~", `""`, "[" + good + "]", "{a: " + good + "}",
		"!!binary aHVudGVyMg==", "!" + secret + " x", "*" + secret, "&" + secret + " " + good, "true", "1.0", "@" + secret, "\"\\q" + secret + "\"", `"` + strings.Repeat(secret, 20) + `"`,
	} {
		if p, err := spelled(t, "sha256", value); err == nil {
			t.Errorf("%s: accepted: %v", value, p)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the error repeats a key: %v", err)
		}
	}
	_, err := spelled(t, "sha256", strings.Repeat("1", 64))
	if err == nil || !strings.Contains(err.Error(), "put it in quotes") {
		t.Errorf("digits alone: %v", err)
	}
	for _, value := range []string{"0755", "yes", "~x~: y", "[a]", "1.0"} {
		if _, err := spelled(t, "name", value); err == nil {
			t.Errorf("the name %s: accepted", value)
		}
	}
}

// TestOddLimits: a limit is a whole number in decimal digits.
func TestOddLimits(t *testing.T) {
	for value, want := range map[string]int64{"1": 1, "100": 100, "60000": 60000, "100000000": 100_000_000, "~": defaultLimitEvents, "null": defaultLimitEvents} {
		if p, err := spelled(t, "events", value); err != nil || p.limit.events != want {
			t.Errorf("%s: %v, %v", value, p, err)
		}
	}
	for _, value := range []string{
		"0100", "0", "00", "-1", "+100", "-0", "0x10", "0o17", "017", "0b11", "1_000", "60_000", "100.0", "1.", ".5", "1e3", "1E3", "6e4", ".inf", ".nan", "99999999999999999999", "1e400", "100000001",
		"4294967296", "4294967297", "1:20", `"100"`, "'100'", "yes", "true", "many", "[100]", "{a: 1}", "100 000", "60k", "２", "!!int 100", "100s", "2026-11-28",
	} {
		if p, err := spelled(t, "events", value); err == nil {
			t.Errorf("%s: accepted as %d", value, p.limit.events)
		}
	}
}

// TestOddWindows: a window is a time with its unit.
func TestOddWindows(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"60s": time.Minute, `"60s"`: time.Minute, "1m": time.Minute, "1m30s": 90 * time.Second, "1s": time.Second, "1500ms": 1500 * time.Millisecond, "1.5s": 1500 * time.Millisecond,
		"24h": 24 * time.Hour, "1d": 24 * time.Hour, "~": defaultLimitWindow,
	} {
		if p, err := spelled(t, "window", value); err != nil || p.limit.window != want {
			t.Errorf("%s: %v, %v", value, p, err)
		}
	}
	for _, value := range []string{
		"60", `"60"`, "060", "60.0", "6e1", "0x3c", "1_000s", "+60s", "-60s", ".5s", "5.s", "1:00", "00:01:00", "999ms", "24h1s", "2d", "1.5d", "1d1h", "1w", "60 s", "60sec", "PT60S", "1000000000", "0", "0s",
		"NaN", ".nan", ".inf", "99999999h", "1e3s", "0x10s", "yes", "true", "soon", "[60s]", "{a: 60s}", "60S", "1.0000000001s",
	} {
		if p, err := spelled(t, "window", value); err == nil {
			t.Errorf("%s: accepted as %s", value, p.limit.window)
		}
	}
	_, err := loaded(t, "projects.yaml", "projects:\n  - id: shop\n    limit:\n      events: 5\n      window: 60\n")
	const want = `projects.yaml: line 5: project 1 ("shop"): limit.window 60 has no unit; write 60s for seconds, 60d for days`
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestOddSwitchesAndOrigins(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "false": false, "~": false} {
		if p, err := spelled(t, "off", value); err != nil || p.disabled != want {
			t.Errorf("%s: %v, %v", value, p, err)
		}
	}
	for _, value := range []string{"yes", "no", "on", "off", "True", "FALSE", "1", "0", `"true"`, "y", "tru", "[true]", "!!bool true"} {
		if _, err := spelled(t, "off", value); err == nil {
			t.Errorf("disabled: %s: accepted", value)
		}
	}
	for _, value := range []string{"7", "1.0", "yes", "~", "[x]", "https://user:hunter2@a", "null"} {
		if _, err := spelled(t, "origin", value); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("origin %s: %v", value, err)
		}
	}
}

// TestProjectsFilesOfOtherKinds: what concerns the file as a whole.
func TestProjectsFilesOfOtherKinds(t *testing.T) {
	for name, text := range map[string]string{
		"byte-order mark":          "\ufeffprojects:\n- id: a\n",
		"CRLF":                     "projects:\r\n- id: a\r\n  keys: []\r\n",
		"markers":                  "---\nprojects:\n- id: a\n...\n",
		"no line feed":             "projects:\n- id: a",
		"JSON":                     `{"projects": [{"id": "a", "keys": [], "limit": {"events": 5, "window": "60s"}, "origins": [], "disabled": false}]}`,
		"nulls":                    "projects: [{id: a, keys: , limit: ~, origins: null, disabled: ~}]",
		"limit without a window":   "projects: [{id: a, limit: {events: 5}}]",
		"comment between projects": "projects:\n- id: a\n# - id: a\n- id: b\n",
	} {
		if _, err := loaded(t, "projects.yaml", text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for text, want := range map[string]string{
		"projects: [{id: a}]\n---\nprojects: [{id: b}]\n":                 "line 2: a second YAML document",
		"projects:\n- id: a\n---\nprojects:\n- id: b\n":                   "line 3: a second YAML document",
		"projects:\n- id: a\n---\n":                                       "a second YAML document",
		"projects:\n- id: a\nprojects:\n- id: b\n":                        `"projects" is given twice`,
		"projects:\n- id: a\n  id: b\n":                                   `line 3: "id" is given twice`,
		"projects:\n- id: a\n  limit: {events: 5, events: 6}\n":           `"events" is given twice`,
		"x: &d {events: 5}\nprojects:\n- {id: a, limit: *d}\n":            `unknown field "x"`,
		"projects:\n- &d {id: a}\n- *d\n":                                 "anchors and aliases",
		"projects:\n- {id: a, <<: {disabled: true}}\n":                    "merge keys",
		"projects:\n- {id: a, kyes: []}\n":                                `project 1 ("a"): unknown field "kyes"; did you mean keys?`,
		"projects:\n- {id: a, limit: {event: 5}}\n":                       "did you mean events?",
		"projects:\n- {id: a, keys: [{nam: x}]}\n":                        "did you mean name?",
		"projekts:\n- {id: a}\n":                                          `unknown field "projekts"`,
		"projects:\n- {keys: []}\n":                                       "project 1: id must match",
		"projects:\n- a\n":                                                "project 1: a project must be a mapping",
		"projects:\n- {id: a, keys: {name: x}}\n":                         "keys must be a list",
		"projects:\n- {id: a, keys: [x]}\n":                               "a key must be a mapping",
		"projects:\n- {id: a, keys: [{name: web}]}\n":                     `key "web": sha256 is missing`,
		"projects:\n- {id: a, limit: 5}\n":                                "limit must be a mapping",
		"projects:\n- {id: a, origins: \"https://a\"}\n":                  "origins must be a list",
		"projects:\n- {id: a, limit: {unlimited: yes}}\n":                 "limit.unlimited takes true or false",
		"projects:\n- {id: a, limit: {retry_after: no}}\n":                "put it in quotes",
		"\xff\xfep\x00r\x00":                                              "UTF-16",
		"projects:\n\t- id: a\n":                                          "line 2",
		"projects:\n- {id: a, sk_live_4f1f0f6f2a119a534f1f0f6f2a11: x}\n": "not shown",
		"":                 "lists no project",
		"projects:\n":      "lists no project",
		"projects: []\n":   "lists no project",
		"# nothing\n":      "lists no project",
		"- id: a\n":        "must be a mapping",
		"projects: hello":  "must be a list",
		`{"projects": {}}`: "must be a list",
	} {
		_, err := loaded(t, "projects.yaml", text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "projects.yaml") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestProjectsOfOneLineEach: the same fields, the same rules.
func TestProjectsOfOneLineEach(t *testing.T) {
	good := `{"id":"a","keys":[{"name":"web","sha256":"` + hash("k") + `"}],"limit":{"events":5,"window":"90s","retry_after":"exact"},"origins":["https://a"],"disabled":true}`
	for _, name := range []string{"projects.jsonl", "projects.JSONL", "p.ndjson"} {
		projects, err := loaded(t, name, "\ufeff"+good+"\r\n\n{\"id\":\"074763617300\"}")
		if err != nil {
			t.Fatal(err)
		}
		p := projects.find([]byte("k"))
		if p.id != "a" || p.limit.events != 5 || p.limit.window != 90*time.Second || !p.limit.exact || !p.disabled || !p.origins.admits([]byte("https://a")) || p.origins.admits([]byte("https://b")) {
			t.Errorf("%s: got %+v", name, p)
		}
		if string(projects.ids.get(1)) != "074763617300" {
			t.Errorf("the second is %q", projects.ids.get(1))
		}
	}
	for line, want := range map[string]string{
		`{"id":74763617300}`:                                 "id takes text",
		`{"id":"a","limit":{"events":"100"}}`:                "without quotes",
		`{"id":"a","limit":{"events":1e3}}`:                  "decimal digits",
		`{"id":"a","limit":{"events":100.0}}`:                "decimal digits",
		`{"id":"a","limit":{"events":0100}}`:                 "not JSON",
		`{"id":"a","limit":{"events":-5}}`:                   "must be 1 to",
		`{"id":"a","limit":{"events":99999999999999999999}}`: "out of range",
		`{"id":"a","limit":{"window":60}}`:                   "limit.window 60 has no unit; write 60s for seconds, 60d for days",
		`{"id":"a","disabled":"true"}`:                       "true or false",
		`{"id":"a","disabled":1}`:                            "true or false",
		`{"id":"a","colour":"red"}`:                          `unknown field "colour"`,
		`{"ID":"a"}`:                                         `unknown field "ID"; did you mean id?`,
		`{"id":"a","id":"b"}`:                                "given twice",
		`{"id":"a"`:                                          "ends too early",
		`{"id":"a"} {"id":"b"}`:                              "nothing after it",
		`["a"]`:                                              "one JSON object a line",
		`projects:`:                                          "one JSON object a line",
		`{"projects":[{"id":"a"}]}`:                          `unknown field "projects"`,
		`{"id":"first"}`:                                     "the id is given twice",
		`{"id":"a","keys":[{"sha256":"hunter2"}]}`:           "64 hex digits",
		`{"id":"a","keys":[{"sha256":"` + hash("f") + `"}]}`: `project "first" has it, too`,
	} {
		_, err := loaded(t, "projects.jsonl", `{"id":"first","keys":[{"name":"f","sha256":"`+hash("f")+`"}]}`+"\n"+line+"\n")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "projects.jsonl: line 2: ") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// TestEveryFaultOfTheFile: all are said, up to a bound.
func TestEveryFaultOfTheFile(t *testing.T) {
	count := func(n int) int {
		var text strings.Builder
		text.WriteString("projects:\n")
		for i := range n {
			fmt.Fprintf(&text, "- id: A%d\n", i)
		}
		_, err := loaded(t, "projects.yaml", text.String())
		var all interface{ Unwrap() []error }
		if !errors.As(err, &all) {
			t.Fatal(err)
		}
		return len(all.Unwrap())
	}
	for _, c := range [][2]int{{1, 1}, {99, 99}, {100, 100}, {101, 100}, {5000, 100}} {
		if got := count(c[0]); got != c[1] {
			t.Errorf("%d faults: %d are said", c[0], got)
		}
	}
}
