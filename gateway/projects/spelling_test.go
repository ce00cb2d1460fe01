package projects_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/projects"
)

// hash returns the digest of a key as the file has it.
func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// loaded writes a file of that name and reads it.
func loaded(t *testing.T, name, text string) (*projects.Set, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return projects.Load(path)
}

// projectOf returns the project that a key belongs to.
func projectOf(t *testing.T, set *projects.Set, key string) projects.Project {
	t.Helper()
	number, ok := set.Lookup([]byte(key))
	require.True(t, ok, "no project has the key")
	return set.Project(number)
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
func spelled(t *testing.T, field, value string) (projects.Project, error) {
	t.Helper()
	var out projects.Project
	var last error
	n := 0
	for form, text := range forms(field) {
		set, err := loaded(t, "projects.yaml", fmt.Sprintf(text, value))
		if n++; n > 1 {
			assert.Equal(t, last == nil, err == nil, "%s %s, %s: %v; in the other form: %v",
				field, value, form, err, last)
		}
		if last = err; err == nil {
			out = projectOf(t, set, "k")
		}
	}
	return out, last
}

// TestOddIDs: an id is what is written, or it is refused with the advice to quote it.
func TestOddIDs(t *testing.T) {
	for value, want := range map[string]string{
		`"074763617300"`: "074763617300", `'0755'`: "0755", `"1_000"`: "1_000", `"0x1f"`: "0x1f", `"no"`: "no",
		`"null"`: "null", `"1e3"`: "1e3", `"2026-11-28"`: "2026-11-28",
		"shop": "shop", "3d-shop": "3d-shop", "a1_000": "a1_000", "nope": "nope", "nan": "nan", "e3": "e3",
		"shop-0755": "shop-0755", "0755a": "0755a",
	} {
		p, err := spelled(t, "id", value)
		assert.NoError(t, err, value)
		assert.Equal(t, want, p.ID, value)
	}
	for _, value := range []string{
		"074763617300", "0755", "755", "0x1f", "0X1F", "0o17", "0b11", "1_000", "1_0", "1.0", "1.", "1e3", "1e-3", ".5",
		".inf", ".nan", "-1", "+1", "0",
		"yes", "no", "on", "off", "true", "false", "y", "n", "True", "NO", "2026-11-28", "2026-1-1", "1:20", "12:30:45",
		"0_7", "00", "123456789012345678901234567890",
	} {
		p, err := spelled(t, "id", value)
		assert.ErrorContains(t, err, "put it in quotes", "%s: accepted as %q", value, p.ID)
		assert.ErrorContains(t, err, "projects.yaml: line ", value)
	}
	for _, value := range []string{
		"~", "null", `""`, "[a]", "{a: b}", "!!str 0755", "!!binary YQ==", "!x a", "&a a", "*a", `"A"`, `"a b"`,
		`"a\n"`, `" a"`, "shop.eu", "Shop", "ü", strings.Repeat("a", 65),
		"|\n      a\n", ">-\n      a b\n", "? a", "`a`", "@a", "%a",
	} {
		for form, text := range forms("id") {
			_, err := loaded(t, "projects.yaml", fmt.Sprintf(text, value))
			assert.Error(t, err, "%s, %s", value, form)
		}
	}
}

// TestOddKeys: a digest is 64 hex digits in either case; a key in its place is not repeated.
func TestOddKeys(t *testing.T) {
	good := hash("k")
	for _, value := range []string{good, strings.ToUpper(good), `"` + good + `"`, "'" + strings.ToUpper(good) + "'"} {
		p, err := spelled(t, "sha256", value)
		assert.NoError(t, err, value)
		assert.Equal(t, "a", p.ID, value)
	}
	const secret = "hunter2"
	for _, value := range []string{
		"sk_" + secret + "Sqkk3JH2v0Z1", `"` + secret + `"`, secret, `"` + good[:63] + `"`, `"` + good + `0"`,
		`"` + good[:62] + `zz"`, `" ` + good + `"`, `"` + good + `\n"`, `"0x` + good[:62] + `"`,
		strings.Repeat("1", 64), strings.Repeat("0", 64), "1e" + strings.Repeat("1", 62),
		strings.Repeat("7", 60) + "e100", "0x" + strings.Repeat("1", 62), "~", `""`,
		"[" + good + "]", "{a: " + good + "}",
		"!!binary aHVudGVyMg==", "!" + secret + " x", "*" + secret, "&" + secret + " " + good, "true", "1.0",
		"@" + secret, "\"\\q" + secret + "\"", `"` + strings.Repeat(secret, 20) + `"`,
	} {
		_, err := spelled(t, "sha256", value)
		if assert.Error(t, err, value) {
			assert.NotContains(t, err.Error(), secret, "the error repeats a key")
		}
	}
	_, err := spelled(t, "sha256", strings.Repeat("1", 64))
	assert.ErrorContains(t, err, "put it in quotes", "digits alone")
	for _, value := range []string{"0755", "yes", "~x~: y", "[a]", "1.0"} {
		_, err := spelled(t, "name", value)
		assert.Error(t, err, "the name %s", value)
	}
}

// TestOddLimits: a limit is a whole number in decimal digits.
func TestOddLimits(t *testing.T) {
	for value, want := range map[string]int{
		"1": 1, "100": 100, "60000": 60000, "100000000": projects.MaxLimitEvents, "~": 60_000, "null": 60_000,
	} {
		p, err := spelled(t, "events", value)
		assert.NoError(t, err, value)
		assert.Equal(t, want, p.Limit.Events, value)
	}
	for _, value := range []string{
		"0100", "0", "00", "-1", "+100", "-0", "0x10", "0o17", "017", "0b11", "1_000", "60_000", "100.0", "1.", ".5",
		"1e3", "1E3", "6e4", ".inf", ".nan", "99999999999999999999", "1e400", "100000001",
		"4294967296", "4294967297", "1:20", `"100"`, "'100'", "yes", "true", "many", "[100]", "{a: 1}", "100 000",
		"60k", "２", "!!int 100", "100s", "2026-11-28",
	} {
		p, err := spelled(t, "events", value)
		assert.Error(t, err, "%s: accepted as %d", value, p.Limit.Events)
	}
}

// TestOddWindows: a window is a time with its unit.
func TestOddWindows(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"60s": time.Minute, `"60s"`: time.Minute, "1m": time.Minute, "1m30s": 90 * time.Second, "1s": time.Second,
		"1500ms": 1500 * time.Millisecond, "1.5s": 1500 * time.Millisecond,
		"24h": 24 * time.Hour, "1d": 24 * time.Hour, "~": 60 * time.Second,
	} {
		p, err := spelled(t, "window", value)
		assert.NoError(t, err, value)
		assert.Equal(t, want, p.Limit.Window, value)
	}
	for _, value := range []string{
		"60", `"60"`, "060", "60.0", "6e1", "0x3c", "1_000s", "+60s", "-60s", ".5s", "5.s", "1:00", "00:01:00", "999ms",
		"24h1s", "2d", "1.5d", "1d1h", "1w", "60 s", "60sec", "PT60S", "1000000000", "0", "0s",
		"NaN", ".nan", ".inf", "99999999h", "1e3s", "0x10s", "yes", "true", "soon", "[60s]", "{a: 60s}", "60S",
		"1.0000000001s",
	} {
		p, err := spelled(t, "window", value)
		assert.Error(t, err, "%s: accepted as %s", value, p.Limit.Window)
	}
	_, err := loaded(t, "projects.yaml", "projects:\n  - id: shop\n    limit:\n      events: 5\n      window: 60\n")
	const want = `projects.yaml: line 5: project 1 ("shop"): ` +
		`limit.window 60 has no unit; write 60s for seconds, 60d for days`
	require.Error(t, err)
	assert.True(t, strings.HasSuffix(err.Error(), want), "got %v, want %s", err, want)
}

func TestOddSwitchesAndOrigins(t *testing.T) {
	for value, want := range map[string]bool{"true": true, "false": false, "~": false} {
		p, err := spelled(t, "off", value)
		assert.NoError(t, err, value)
		assert.Equal(t, want, p.Disabled, value)
	}
	for _, value := range []string{
		"yes", "no", "on", "off", "True", "FALSE", "1", "0", `"true"`, "y", "tru", "[true]", "!!bool true",
	} {
		_, err := spelled(t, "off", value)
		assert.Error(t, err, "disabled: %s", value)
	}
	for _, value := range []string{"7", "1.0", "yes", "~", "[x]", "https://user:hunter2@a", "null"} {
		_, err := spelled(t, "origin", value)
		if assert.Error(t, err, "origin %s", value) {
			assert.NotContains(t, err.Error(), "hunter2", "origin %s", value)
		}
	}
}

// TestProjectsFilesOfOtherKinds: what concerns the file as a whole.
func TestProjectsFilesOfOtherKinds(t *testing.T) {
	for name, text := range map[string]string{
		"byte-order mark": "\ufeffprojects:\n- id: a\n",
		"CRLF":            "projects:\r\n- id: a\r\n  keys: []\r\n",
		"markers":         "---\nprojects:\n- id: a\n...\n",
		"no line feed":    "projects:\n- id: a",
		"JSON": `{"projects": [{"id": "a", "keys": [], "limit": {"events": 5, "window": "60s"}, ` +
			`"origins": [], "disabled": false}]}`,
		"nulls":                    "projects: [{id: a, keys: , limit: ~, origins: null, disabled: ~}]",
		"limit without a window":   "projects: [{id: a, limit: {events: 5}}]",
		"comment between projects": "projects:\n- id: a\n# - id: a\n- id: b\n",
	} {
		_, err := loaded(t, "projects.yaml", text)
		assert.NoError(t, err, name)
	}
	for text, want := range map[string]string{
		"projects: [{id: a}]\n---\nprojects: [{id: b}]\n":       "line 2: a second YAML document",
		"projects:\n- id: a\n---\nprojects:\n- id: b\n":         "line 3: a second YAML document",
		"projects:\n- id: a\n---\n":                             "a second YAML document",
		"projects:\n- id: a\nprojects:\n- id: b\n":              `"projects" is given twice`,
		"projects:\n- id: a\n  id: b\n":                         `line 3: "id" is given twice`,
		"projects:\n- id: a\n  limit: {events: 5, events: 6}\n": `"events" is given twice`,
		"x: &d {events: 5}\nprojects:\n- {id: a, limit: *d}\n":  `unknown field "x"`,
		"projects:\n- &d {id: a}\n- *d\n":                       "anchors and aliases",
		"projects:\n- {id: a, <<: {disabled: true}}\n":          "merge keys",
		"projects:\n- {id: a, kyes: []}\n": `project 1 ("a"): unknown field "kyes"; ` +
			"did you mean keys?",
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
		assert.ErrorContains(t, err, want, "%q", text)
		assert.ErrorContains(t, err, "projects.yaml", "%q", text)
	}
}

// TestProjectsOfOneLineEach: the same fields, the same rules.
func TestProjectsOfOneLineEach(t *testing.T) {
	good := `{"id":"a","keys":[{"name":"web","sha256":"` + hash("k") + `"}],` +
		`"limit":{"events":5,"window":"90s","retry_after":"exact"},"origins":["https://a"],"disabled":true}`
	for _, name := range []string{"projects.jsonl", "projects.JSONL", "p.ndjson"} {
		set, err := loaded(t, name, "\ufeff"+good+"\r\n\n{\"id\":\"074763617300\"}")
		require.NoError(t, err)
		p := projectOf(t, set, "k")
		assert.Equal(t, "a", p.ID, name)
		assert.Equal(t, projects.Limit{Events: 5, Window: 90 * time.Second, ExactRetryAfter: true}, p.Limit, name)
		assert.True(t, p.Disabled, name)
		assert.True(t, p.Origins.Admits([]byte("https://a")), name)
		assert.False(t, p.Origins.Admits([]byte("https://b")), name)
		assert.Equal(t, "074763617300", set.Project(1).ID, name)
	}
	for line, want := range map[string]string{
		`{"id":74763617300}`:                                 "id takes text",
		`{"id":"a","limit":{"events":"100"}}`:                "without quotes",
		`{"id":"a","limit":{"events":1e3}}`:                  "decimal digits",
		`{"id":"a","limit":{"events":100.0}}`:                "decimal digits",
		`{"id":"a","limit":{"events":0100}}`:                 "not JSON",
		`{"id":"a","limit":{"events":-5}}`:                   "must be 1 to",
		`{"id":"a","limit":{"events":99999999999999999999}}`: "out of range",
		`{"id":"a","limit":{"window":60}}`: "limit.window 60 has no unit; write 60s for seconds, " +
			"60d for days",
		`{"id":"a","disabled":"true"}`:             "true or false",
		`{"id":"a","disabled":1}`:                  "true or false",
		`{"id":"a","colour":"red"}`:                `unknown field "colour"`,
		`{"ID":"a"}`:                               `unknown field "ID"; did you mean id?`,
		`{"id":"a","id":"b"}`:                      "given twice",
		`{"id":"a"`:                                "ends too early",
		`{"id":"a"} {"id":"b"}`:                    "nothing after it",
		`["a"]`:                                    "one JSON object a line",
		`projects:`:                                "one JSON object a line",
		`{"projects":[{"id":"a"}]}`:                `unknown field "projects"`,
		`{"id":"first"}`:                           "the id is given twice",
		`{"id":"a","keys":[{"sha256":"hunter2"}]}`: "64 hex digits",
		`{"id":"a","keys":[{"sha256":"` + hash("f") + `"}]}`: `project "first" has it, too`,
	} {
		first := `{"id":"first","keys":[{"name":"f","sha256":"` + hash("f") + `"}]}`
		_, err := loaded(t, "projects.jsonl", first+"\n"+line+"\n")
		if assert.ErrorContains(t, err, want, line) {
			assert.ErrorContains(t, err, "projects.jsonl: line 2: ", line)
			assert.NotContains(t, err.Error(), "hunter2", line)
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
		require.ErrorAs(t, err, &all)
		return len(all.Unwrap())
	}
	for _, c := range [][2]int{{1, 1}, {99, 99}, {100, 100}, {101, 100}, {5000, 100}} {
		assert.Equal(t, c[1], count(c[0]), "%d faults", c[0])
	}
}

// TestBrokenProjectsFiles: one fault makes the whole file unusable.
func TestBrokenProjectsFiles(t *testing.T) {
	good := hash("a")
	for name, text := range map[string]string{
		"no project":    "projects: []",
		"not yaml":      "projects: [",
		"unknown field": "projects: [{id: a, colour: red}]",
		"bad id":        "projects: [{id: A}]",
		"id twice":      "projects: [{id: a}, {id: a}]",
		"bad digest":    "projects: [{id: a, keys: [{name: x, sha256: abc}]}]",
		"key twice": "projects: [{id: a, keys: [{name: x, sha256: " + good + "}]}, " +
			"{id: b, keys: [{name: y, sha256: " + good + "}]}]",
		"no limit":       "projects: [{id: a, limit: {events: 0}}]",
		"limit too high": "projects: [{id: a, limit: {events: 100000001}}]",
		"short window":   "projects: [{id: a, limit: {window: 999ms}}]",
		"long window":    "projects: [{id: a, limit: {window: 24h1s}}]",
		"retry_after":    "projects: [{id: a, limit: {retry_after: soon}}]",
		"both limits":    "projects: [{id: a, limit: {unlimited: true, events: 5}}]",
	} {
		_, err := projects.Parse(strings.NewReader(text), "projects.yaml")
		assert.Error(t, err, name)
	}
	for name, text := range map[string]string{
		"defaults":     "projects: [{id: a}]",
		"least limit":  "projects: [{id: a, limit: {events: 1, window: 1s}}]",
		"most limit":   "projects: [{id: a, limit: {events: 100000000, window: 24h}}]",
		"unlimited":    "projects: [{id: a, limit: {unlimited: true}}]",
		"longest id":   "projects: [{id: " + strings.Repeat("a", 64) + "}]",
		"two projects": "projects: [{id: a, keys: [{name: x, sha256: " + good + "}]}, {id: b}]",
	} {
		_, err := projects.Parse(strings.NewReader(text), "projects.yaml")
		assert.NoError(t, err, name)
	}
}
