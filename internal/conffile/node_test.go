package conffile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// value returns the value of the only key of a YAML file.
func value(t *testing.T, written string) *Node {
	t.Helper()
	doc, err := Parse([]byte("key: " + written + "\n"))
	require.NoError(t, err, written)
	require.Len(t, doc.Items, 2, written)
	return &doc.Items[1]
}

// A text stays as written or is an error. It never becomes another value.
func TestTexts(t *testing.T) {
	for written, want := range map[string]string{
		"shop": "shop", "a-b_c": "a-b_c", "3d-shop": "3d-shop", "0755a": "0755a", "1.2.3": "1.2.3", "127.0.0.1:9092": "127.0.0.1:9092",
		`"0755"`: "0755", `'1e3'`: "1e3", `"no"`: "no", `""`: "", `"~"`: "~", `"null"`: "null", `"2026-11-28"`: "2026-11-28", "2026-11-28x": "2026-11-28x",
		"it's": "it's", "a#b": "a#b", "nope": "nope", "nan": "nan", "-": "", ":8080": ":8080", "e3": "e3", "0xzz": "0xzz", "1_000a": "1_000a", "-x": "-x",
		`"\x41"`: "A", `'it''s'`: "it's", "|-\n  0755": "0755", ".infinity": ".infinity",
	} {
		if written == "-" {
			continue // a list
		}
		got, err := value(t, written).String()
		require.NoError(t, err, written)
		require.Equal(t, want, got, written)
	}
	for _, written := range []string{
		"074763617300", "0755", "0x1f", "0X1F", "0o17", "0b101", "1_000", "1,000", "12", "-12", "+12", "0", "1.0", "1.", ".5", "1e3", "1E+3", "1.5e-3", ".inf", "-.INF", ".NaN",
		"yes", "Yes", "NO", "on", "Off", "true", "TRUE", "False", "y", "N", "null", "Null", "~", "", "1:20", "12:30:45", "1:20.5", "2026-11-28", "2026-1-2",
		"2026-11-28T12:00:00Z", "2026-11-28 12:00:00", "=", "-0755", "1e1000", "0_7", "7698622409000000000000000000000000000000000000000000000000000e10",
	} {
		_, err := value(t, written).String()
		require.Error(t, err, written)
		if !value(t, written).IsNull() {
			require.ErrorContains(t, err, "put it in quotes", written)
		}
	}
}

func TestNumbers(t *testing.T) {
	for written, want := range map[string]int64{"0": 0, "7": 7, "60000": 60000, "-5": -5, "9223372036854775807": 1<<63 - 1} {
		got, err := value(t, written).Int()
		require.NoError(t, err, written)
		require.Equal(t, want, got, written)
	}
	for _, written := range []string{
		"0100", "00", "-0", "+1", "0x10", "0o17", "0b1", "1_000", "1,000", "1.0", "1.", ".5", "1e3", "1E3", "9223372036854775808", "1e400", ".inf", ".nan", "1:20", `"5"`, "'5'",
		"yes", "true", "~", "", "[5]", "{a: 5}", "five", "5 5", "٥", "５", "--5", "- 5", "5-", "2026-11-28",
	} {
		if written == "- 5" {
			continue // a list in the wrong place, which is invalid YAML
		}
		_, err := value(t, written).Int()
		require.Error(t, err, written)
	}
	for text, ok := range map[string]bool{
		"0": true, "1.5": true, "-0.5": true, "12": true, "": false, ".5": false, "1.": false, "1e3": false, "0x1p4": false, "1_0": false, "inf": false, "NaN": false, "+1": false, "01": false,
		"1,5": false,
	} {
		_, err := ParseFloat(text)
		require.Equal(t, ok, err == nil, text)
	}
	for text, ok := range map[string]bool{"0": true, "18446744073709551615": true, "18446744073709551616": false, "-1": false, "": false, "010": false} {
		_, err := ParseUint(text, 64)
		require.Equal(t, ok, err == nil, text)
	}
}

func TestSwitches(t *testing.T) {
	for written, want := range map[string]bool{"true": true, "false": false} {
		got, err := value(t, written).Bool()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, written := range []string{"yes", "no", "on", "off", "y", "n", "True", "FALSE", "1", "0", `"true"`, "", "~", "[true]", "tru"} {
		_, err := value(t, written).Bool()
		require.Error(t, err, written)
	}
}

// Faults of a whole file. No fault repeats a value.
func TestParse(t *testing.T) {
	for file, want := range map[string]string{
		"a: 1\n---\nb: 2\n":    "line 2: a second YAML document",
		"a: 1\n---\n":          "a second YAML document",
		"a: 1\n...\n---\nb: 2": "a second YAML document",
		"---\na: 1\n---\na: 1": "line 3: a second YAML document",
		"a: 1\nb: 2\na: 3":     `line 3: "a" is given twice`,
		"a: 1\n\"a\": 3":       `line 2: "a" is given twice`,
		"a: &x 1":              "anchors and aliases",
		"a: *hunter2":          "anchors and aliases",
		"a: !hunter2 1":        "tags are not supported",
		"a: !!float 1":         "tags are not supported",
		"a: {<<: {b: 1}}":      "merge keys",
		"<<: {b: 1}":           "merge keys",
		"%YAML 1.2\n---\na: 1": "YAML directives",
		"a: 1\n\tb: 2":         "line 2: not YAML",
		"a: @hunter2":          "not YAML",
		"a: `hunter2`":         "not YAML",
		"a: \"hunter2":         "not YAML",
		"a: [hunter2":          "not YAML",
		"a: hunter2: b":        "not YAML",
		"? [hunter2]\n: 1":     "a key must be a word",
		"\xff\xfea\x00:\x00":   "UTF-16",
		"\xfe\xff\x00a\x00:":   "UTF-16",
		"a: \xff":              "line 1: not UTF-8",
		"a: 1\rb: 2":           "line 1: a carriage return",
		"a: x\u2028b: y":       "line separator",
		"a: x\n\ufeffb: y":     "line 2: a byte-order mark",
		"a: x\x00":             "NUL",
		"a: \"\\q hunter2\"":   "not YAML",
		"sk_live_4f1f0f6f2a119a534f1f0f6f2a11aaaa: 1\nsk_live_4f1f0f6f2a119a534f1f0f6f2a11aaaa: 2": "not shown",
	} {
		_, err := Parse([]byte(file))
		require.ErrorContains(t, err, want, file)
		require.NotContains(t, err.Error(), "hunter2")
		require.NotContains(t, err.Error(), "\n")
	}
	for _, file := range []string{"", "\n", "# c", "---", "---\n", "\ufeffa: 1", "a: 1\r\nb: 2\r\n", "---\na: 1\n...\n", "\ufeff", "null", "{}"} {
		_, err := Parse([]byte(file))
		require.NoError(t, err, "%q", file)
	}
}
