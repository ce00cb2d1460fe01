package event

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func nested(open, closing string, depth int) string {
	return withField("a", strings.Repeat(open, depth)+strings.Repeat(closing, depth))
}

func TestDepth(t *testing.T) {
	for _, inner := range []int{MaxDepth - 2, MaxDepth - 1} { // the event is one level itself
		mustDecode(t, nested("[", "]", inner))
		mustDecode(t, withField("a", strings.Repeat(`{"a":`, inner)+"1"+strings.Repeat("}", inner)))
		mustDecode(t, withField("tags", `{"a":`+strings.Repeat("[", inner-1)+strings.Repeat("]", inner-1)+`}`))
	}
	for _, inner := range []int{MaxDepth, MaxDepth + 1, 100_000} {
		mustRefuse(t, nested("[", "]", inner), CodeMalformed, "")
		mustRefuse(t, nested("[", "", inner), CodeMalformed, "")
		mustRefuse(t, withField("a", strings.Repeat(`{"a":`, inner)+"1"+strings.Repeat("}", inner)), CodeMalformed, "")
		mustRefuse(t, strings.Repeat("[", inner+1), CodeMalformed, "")
	}
}

func TestManyOfEverything(t *testing.T) {
	var d Decoder
	var ev Event
	for name, raw := range map[string]string{
		"objects":    withField("a", "["+strings.Repeat("{},", 349_000)+"1]"),
		"frames":     withField("stacktrace", "["+strings.Repeat("{},", 349_000)+"{}]"),
		"parts":      withField("fingerprint", "["+strings.Repeat(`"",`, 349_000)+`""]`),
		"pairs":      withField("tags", "["+strings.Repeat(`["a",1],`, 100_000)+`["a",1]]`),
		"surrogates": withField("a", `"`+strings.Repeat(`\ud800`, 174_000)+`"`),
		"one string": withField("a", `"`+strings.Repeat(`x`, MaxEventBytes-len(withField("a", `""`)))+`"`),
		"escapes":    `{"message":"m","` + strings.Repeat(`\u0061`, 170_000) + `":1}`,
	} {
		if err := d.Decode([]byte(raw), &ev); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(ev.Frames) > MaxFrames || len(ev.Fingerprint) > MaxFingerprintParts || len(ev.Tags) > MaxTags {
			t.Errorf("%s: kept %d frames, %d parts, %d tags", name, len(ev.Frames), len(ev.Fingerprint), len(ev.Tags))
		}
		if err := d.Decode([]byte(good), &ev); err != nil {
			t.Error(err)
		}
		if kept := max(cap(ev.repairs), cap(ev.Frames), cap(ev.Fingerprint), cap(ev.Tags)); kept > keptCapacity {
			t.Errorf("%s: memory for %d items is kept", name, kept)
		}
	}
}

func TestEventSize(t *testing.T) {
	d := Decoder{MaxBytes: 100}
	for size, ok := range map[int]bool{99: true, 100: true, 101: false} {
		raw := `{"message":"` + strings.Repeat("m", size-len(`{"message":""}`)) + `"}`
		err := d.Decode([]byte(raw), new(Event))
		if (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
		if e, _ := err.(*Error); e != nil && (e.Code != CodeTooLarge || e.Limit != LimitEventBytes) {
			t.Errorf("%d bytes: %+v", size, e)
		}
	}
}

func TestTagLimit(t *testing.T) {
	for _, n := range []int{MaxTags - 1, MaxTags, MaxTags + 1, 2000} {
		var object, pairs []string
		for i := range n {
			object = append(object, fmt.Sprintf(`"%d":%d`, i, i))
			pairs = append(pairs, fmt.Sprintf(`["%d",%d]`, i, i))
		}
		for _, value := range []string{"{" + strings.Join(object, ",") + "}", "[" + strings.Join(pairs, ",") + "]"} {
			tags := mustDecode(t, withField("tags", value)).Tags
			if want := min(n, MaxTags); len(tags) != want || tags[want-1].Key.String() != fmt.Sprint(want-1) {
				t.Errorf("%d tags: kept %d", n, len(tags))
			}
		}
	}
}

func TestMessageColumnCut(t *testing.T) {
	for _, n := range []int{MaxMessageBytes - 1, MaxMessageBytes, MaxMessageBytes + 1} {
		raw := `{"message":"` + strings.Repeat("m", n) + `"}`
		ev := mustDecode(t, raw)
		if got := len(ev.MessageText()); got != min(n, MaxMessageBytes) {
			t.Errorf("of %d bytes %d are left", n, got)
		}
		if _, ok := ev.PlainMessage(); ok != (n <= MaxMessageBytes) {
			t.Errorf("%d bytes are there as they are: %t", n, ok)
		}
		if got := string(ev.AppendPayload(nil, []byte(raw))); got != raw {
			t.Error("the payload is cut")
		}
	}
	for lead, want := range []int{MaxMessageBytes, MaxMessageBytes - 3, MaxMessageBytes - 2, MaxMessageBytes - 1} {
		ev := mustDecode(t, `{"message":"`+strings.Repeat("m", lead)+strings.Repeat(`\ud83d\ude00`, MaxMessageBytes/4)+`"}`)
		got := string(ev.AppendMessage([]byte("before")))[len("before"):]
		if len(got) != want || !utf8.ValidString(got) {
			t.Errorf("behind %d bytes: %d bytes are left, want %d", lead, len(got), want)
		}
	}
}
