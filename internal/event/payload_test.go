package event

import (
	"strings"
	"testing"
)

func TestPayload(t *testing.T) {
	for raw, want := range map[string]string{
		` {"message" : "m"} `:                              "",
		`{"message":"\ud83d\ude00 \uFFFD \u00e9","a":1.0}`: "",
		`{"message":"\\ud83d"}`:                            "",
		`{"message":"\ud83d"}`:                             `{"message":"\ufffd"}`,
		`{"message":"\ude00\ude01"}`:                       `{"message":"\ufffd\ufffd"}`,
		`{"message":"\uDE00\uD83D"}`:                       `{"message":"\ufffd\ufffd"}`,
		`{"message":"\ud83d\ud83d\ude00\ude00"}`:           `{"message":"\ufffd\ud83d\ude00\ufffd"}`,
		`{"message":"\ud83d\u0041\ud83d\n\ud83dx"}`:        `{"message":"\ufffd\u0041\ufffd\n\ufffdx"}`,
		`{"message":"m","\udbff":{"\udc00":["\\\ud800"]}}`: `{"message":"m","\ufffd":{"\ufffd":["\\\ufffd"]}}`,
	} {
		ev := mustDecode(t, raw)
		if ev.NeedsRepair() != (want != "") {
			t.Errorf("%s: needs repair: %v", raw, ev.NeedsRepair())
		}
		if want == "" {
			want = raw
		}
		if got := string(ev.AppendPayload([]byte("before"), []byte(raw))); got != "before"+want {
			t.Errorf("%s\n got %s\nwant %s", raw, got, want)
		}
	}
}

func TestText(t *testing.T) {
	for inside, want := range map[string]string{
		``: "", `plain`: "plain", `é€😀`: "é€😀",
		`\"\\\/\b\f\n\r\t`:         "\"\\/\b\f\n\r\t",
		`\u0000\u00e9\u20AC`:       "\x00é€",
		`\ud83d\ude00`:             "😀",
		`a\ud83db\ude00c`:          "a\ufffdb\ufffdc",
		`\ud83d\ud83d\ude00\ud83d`: "\ufffd😀\ufffd",
		`\udbff\udfff`:             "\U0010ffff",
		`\ud800\udc00`:             "\U00010000",
		`\ud7ff\ue000`:             "\ud7ff\ue000",
		`\ud83d\n\ude00`:           "\ufffd\n\ufffd",
	} {
		text := mustDecode(t, withField("release", `"`+inside+`"`)).Release
		if got := text.String(); got != want {
			t.Errorf("%s is %q, want %q", inside, got, want)
		}
		if got := string(text.AppendTo([]byte("before"))); got != "before"+want {
			t.Errorf("%s appended is %q", inside, got)
		}
		if text.Len() < len(want) || text.IsZero() != (want == "") {
			t.Errorf("%s: length %d", inside, text.Len())
		}
	}
}

func TestStringsSurviveTheirBytes(t *testing.T) {
	raw := []byte(`{"message":"plain","release":"esc\u0061ped"}`)
	var ev Event
	if err := new(Decoder).Decode(raw, &ev); err != nil {
		t.Fatal(err)
	}
	message, release, whole := ev.Message.String(), ev.Release.String(), ev.MessageText()
	copy(raw, strings.Repeat("x", len(raw)))
	if message != "plain" || release != "escaped" || whole != "plain" {
		t.Errorf("%q %q %q", message, release, whole)
	}
}
