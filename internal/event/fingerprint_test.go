package event

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

func TestFingerprint(t *testing.T) {
	const uid = "4BF92F35-77b3-4da6-a3ce-929d0e0e4736"
	for raw, want := range map[string]string{
		// given
		`{"message":"m","fingerprint":"Mine 1"}`:                         "Mine 1",
		`{"message":"m","fingerprint":["a","B 2",""]}`:                   "a\x1fB 2\x1f",
		`{"message":"m","fingerprint":["caf\u00e9","\ud800"]}`:           "café\x1f\ufffd",
		`{"message":"m","fingerprint":["",""],"stacktrace":[{}]}`:        "\x1f",
		`{"message":"M 1","fingerprint":[]}`:                             "msg:m #",
		`{"message":"M 1","fingerprint":""}`:                             "msg:m #",
		`{"message":"M 1","fingerprint":[""]}`:                           "msg:m #",
		`{"message":"M 1","fingerprint":null}`:                           "msg:m #",
		`{"exception":{"type":"T"},"stacktrace":[{}],"fingerprint":"f"}`: "f",
		// frames
		`{"message":"M 1","stacktrace":[{"filename":"a.go","function":"F1","lineno":3},{"filename":"b.go","function":"G"}]}`:                          "a.go|F1;b.go|G:m #",
		`{"message":"M 1","stacktrace":[{"filename":"a.go","function":"F1","lineno":9,"colno":2},{"filename":"b.go","function":"G"}]}`:                "a.go|F1;b.go|G:m #",
		`{"message":"m","stacktrace":[{"filename":"a","function":"f"},{"filename":"b","function":"g","in_app":true},{"filename":"c","in_app":true}]}`: "b|g;c|:m",
		`{"message":"m","stacktrace":[{"filename":"a","function":"f","in_app":false},{"filename":"b","function":"g","in_app":null}]}`:                 "a|f;b|g:m",
		`{"message":"m","stacktrace":[{}]}`: "|:m",
		`{"message":"m","stacktrace":[{"function_name":"\u0066"}],"exception":{"type":"T","value":"v"}}`: "|f:m",
		`{"stacktrace":[{"function":"f"}],"exception":{"type":"Err7","value":"at 0xFF"}}`:                "|f:err#: at #",
		`{"message":"m","stacktrace":[],"exception":{"type":"T","value":"v"}}`:                           "T:v",
		// exception
		`{"message":"other","exception":{"type":"Type1","value":" Value 12 "}}`: "Type1:value #",
		`{"exception":{"type":"T"}}`:  "T:",
		`{"exception":{"value":"V"}}`: ":v",
		// message
		`{"message":"  Timeout After 30s\n"}`:                            "msg:timeout after #s",
		`{"message":"User ` + uid + ` at 0xDEADbeef, try 3"}`:            "msg:user # at #, try #",
		`{"message":"0x 0X1g 0xg 00x1 x0x1 1.5e10 utf8 v2-3"}`:           "msg:#x #g #xg #x# x# #.#e# utf# v#-#",
		`{"message":"` + uid + uid + `"}`:                                "msg:##",
		`{"message":"` + uid[:35] + `"}`:                                 "msg:#bf#f#-#b#-#da#-a#ce-#d#e#e#",
		`{"message":"deadbeef-dead-beef-dead-beefdeadbeef"}`:             "msg:#",
		`{"message":"xyzdeadbeef-dead-beef-dead-beefdeadbeef0"}`:         "msg:xyz##",
		`{"message":"ÄÖÜ ΑΣ İ ẞ Ⱥ \u00c9 K"}`:                            "msg:äöü ασ i ß ⱥ é k",
		`{"message":"\u00a0٣ ½ \u0031\u0032 \u3000"}`:                    "msg:٣ ½ #",
		`{"message":"lone \ud800 1"}`:                                    "msg:lone \ufffd #",
		`{"message":"nul \u0000 1"}`:                                     "msg:nul \x00 #",
		`{"message":"` + strings.Repeat("m", MaxMessageBytes) + `TAIL"}`: "msg:" + strings.Repeat("m", MaxMessageBytes) + "tail",
	} {
		hash, group := mustDecode(t, raw).FingerprintHash(nil)
		if string(group) != want {
			t.Errorf("%.300s\n got %.300q\nwant %.300q", raw, group, want)
		}
		if hash != xxhash.Sum64String(want) {
			t.Errorf("%.300s: the hash is of something else", raw)
		}
	}
}

// The hash is part of the contract: it is stored, and linked to.
func TestFingerprintGolden(t *testing.T) {
	for raw, want := range map[string]uint64{
		`{"message":"Timeout after 30s"}`:                            goldenMessage,
		`{"message":"m","fingerprint":["checkout","timeout"]}`:       goldenGiven,
		`{"exception":{"type":"ValueError","value":"bad value 17"}}`: goldenException,
	} {
		if got, _ := mustDecode(t, raw).FingerprintHash(nil); got != want {
			t.Errorf("%s: %d, want %d", raw, got, want)
		}
	}
}

const (
	goldenMessage   = 3165685076966207522
	goldenGiven     = 6887752202423511414
	goldenException = 16952575910907685882
)

var variables = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|0x[0-9a-f]+|[0-9]+`)

// FuzzNormalise compares the one pass with the rule written as an expression.
func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"", " a ", "0x0X12", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736", "ȺȾ 12", "\u2003K\u0130", "00000000-0000-0000-0000-00000000000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		want := variables.ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), "#")
		got := normaliseTail(append([]byte("head"), text...), 4)
		if string(got) != "head"+want {
			t.Fatalf("%q: %q, want %q", text, got, want)
		}
		if again := normaliseTail(bytes.Clone(got), 4); !bytes.Equal(again, got) {
			t.Fatalf("%q becomes %q", got, again)
		}
	})
}
