package event

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// good is the smallest event; withField is one with another field.
const good = `{"message":"m"}`

func withField(name, value string) string { return `{"message":"m","` + name + `":` + value + `}` }

// decode decodes with fresh memory.
func decode(raw string) (*Event, error) {
	ev := new(Event)
	return ev, new(Decoder).Decode([]byte(raw), ev)
}

func mustDecode(t *testing.T, raw string) *Event {
	t.Helper()
	ev, err := decode(raw)
	if err != nil {
		t.Fatalf("%.200q refused: %v", raw, err)
	}
	return ev
}

// mustRefuse checks the code and the field of a refusal.
func mustRefuse(t *testing.T, raw string, code Code, field string) *Error {
	t.Helper()
	_, err := decode(raw)
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%.200q accepted", raw)
	}
	if e.Code != code || e.Field != field {
		t.Errorf("%.200q: %s on field %q (%s), want %s on %q", raw, e.Code, e.Field, e.Reason, code, field)
	}
	if !strings.HasSuffix(e.Reason, ".") {
		t.Errorf("%q is not a sentence", e.Reason)
	}
	return e
}

// malformedJSON lists what strict JSON does not allow; the fuzz targets start from it too.
var malformedJSON = map[string]string{
	"cut off after the brace":   `{`,
	"cut off in a name":         `{"mess`,
	"cut off after a name":      `{"message"`,
	"cut off after the colon":   `{"message":`,
	"cut off in a string":       `{"message":"m`,
	"cut off in an escape":      `{"message":"m\`,
	"cut off in a hex escape":   `{"message":"m\u00`,
	"cut off after a value":     `{"message":"m"`,
	"cut off after a comma":     `{"message":"m",`,
	"cut off in a word":         `{"message":"m","a":tru`,
	"cut off in a number":       `{"message":"m","a":-`,
	"two values":                `{"message":"m"}{"message":"m"}`,
	"two values apart":          `{"message":"m"} 1`,
	"a comment":                 `{"message":"m"/* */}`,
	"a comment at the end":      `{"message":"m"} // end`,
	"trailing comma":            `{"message":"m",}`,
	"trailing comma in array":   `{"message":"m","a":[1,]}`,
	"leading comma":             `{,"message":"m"}`,
	"double comma":              `{"message":"m",,"a":1}`,
	"comma only":                `{"message":"m","a":[,]}`,
	"missing comma":             `{"message":"m" "a":1}`,
	"missing comma in array":    `{"message":"m","a":[1 2]}`,
	"missing colon":             `{"message" "m"}`,
	"name without quotes":       `{message:"m"}`,
	"single quotes":             `{'message':'m'}`,
	"mismatched brackets":       `{"message":"m","a":[1}`,
	"NaN":                       `{"message":"m","a":NaN}`,
	"Infinity":                  `{"message":"m","a":-Infinity}`,
	"leading zero":              `{"message":"m","a":01}`,
	"negative leading zero":     `{"message":"m","a":-01}`,
	"plus":                      `{"message":"m","a":+1}`,
	"point first":               `{"message":"m","a":.5}`,
	"point last":                `{"message":"m","a":5.}`,
	"empty exponent":            `{"message":"m","a":5e}`,
	"empty signed exponent":     `{"message":"m","a":5e+}`,
	"hexadecimal":               `{"message":"m","a":0x10}`,
	"minus alone":               `{"message":"m","a":-}`,
	"True":                      `{"message":"m","a":True}`,
	"word goes on":              `{"message":"m","a":nullx}`,
	"undefined":                 `{"message":"m","a":undefined}`,
	"duplicate name":            `{"message":"m","message":"m"}`,
	"duplicate escaped":         `{"message":"m","mess\u0061ge":"m"}`,
	"duplicate, both escaped":   `{"message":"m","\u0061":1,"\u0061":2}`,
	"duplicate unknown":         `{"message":"m","a":1,"b":2,"a":3}`,
	"duplicate empty name":      `{"message":"m","":1,"":2}`,
	"duplicate in depth":        `{"message":"m","a":[{"b":{"c":1,"c":1}}]}`,
	"duplicate in tags":         `{"message":"m","tags":{"a":"1","a":"2"}}`,
	"duplicate after repair":    `{"message":"m","\ud800":1,"\udfff":2}`,
	"duplicate, repair and raw": "{\"message\":\"m\",\"\\ud800\":1,\"\ufffd\":2}",
	"duplicate slash":           `{"message":"m","a/b":1,"a\/b":2}`,
	"bad UTF-8 in a value":      "{\"message\":\"\xff\"}",
	"bad UTF-8 in a name":       "{\"message\":\"m\",\"\xc3\":1}",
	"UTF-8 cut off":             "{\"message\":\"m\xe2\x82\"}",
	"overlong slash":            "{\"message\":\"\xc0\xaf\"}",
	"overlong three bytes":      "{\"message\":\"\xe0\x80\xaf\"}",
	"surrogate in UTF-8":        "{\"message\":\"\xed\xa0\x80\"}",
	"surrogate pair in UTF-8":   "{\"message\":\"\xed\xa0\xbd\xed\xb8\x80\"}",
	"above U+10FFFF":            "{\"message\":\"\xf4\x90\x80\x80\"}",
	"five bytes":                "{\"message\":\"\xf8\x88\x80\x80\x80\"}",
	"raw NUL":                   "{\"message\":\"\x00\"}",
	"raw newline":               "{\"message\":\"\n\"}",
	"raw tab":                   "{\"message\":\"\t\"}",
	"raw unit separator":        "{\"message\":\"\x1f\"}",
	"raw control in a name":     "{\"message\":\"m\",\"\x01\":1}",
	"unknown escape":            `{"message":"\x41"}`,
	"escaped quote only":        `{"message":"\"}`,
	"capital U escape":          `{"message":"\U0041"}`,
	"escape not hexadecimal":    `{"message":"\u00zz"}`,
	"byte order mark":           "\ufeff" + good,
	"UTF-16":                    "{\x00\"\x00m\x00",
	"UTF-16 with mark":          "\xff\xfe{\x00",
	"form feed as white space":  "\f" + good,
	"no-break space":            "\u00a0" + good,
	"NUL only":                  "\x00",
	"NUL behind":                good + "\x00",
	"text":                      `hello`,
	"bad array as event":        `[1`,
	"bad string as event":       `"x`,
	"closing brace":             `}`,
	"fault after wrong type":    `{"message":5,`,
}

func TestMalformed(t *testing.T) {
	for name, raw := range malformedJSON {
		t.Run(name, func(t *testing.T) { mustRefuse(t, raw, CodeMalformed, "") })
	}
}

// oddButValid lists what is JSON and an event, however odd.
var oddButValid = map[string]string{
	"white space":            " \t\r\n{ \"message\" : \"m\" , \"a\" : [ 1 , { } , [ ] ] } \n",
	"escaped NUL":            withField("a", `"\u0000"`),
	"every escape":           withField("a", `"\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00"`),
	"DEL":                    withField("a", "\"\x7f\""),
	"noncharacters":          withField("a", "\"\uffff\U0010ffff\""),
	"byte order mark inside": withField("a", "\"\ufeff\""),
	"lone high surrogate":    `{"message":"\ud83d"}`,
	"lone low surrogate":     `{"message":"\udE00"}`,
	"surrogates in a name":   `{"message":"m","\ud800":1,"\ud83d\ude00":2}`,
	"huge exponent":          withField("a", `1e400`),
	"tiny exponent":          withField("a", `-1E-400`),
	"400 digits":             withField("a", strings.Repeat("9", 400)),
	"2^53+1":                 withField("a", `9007199254740993`),
	"zeros":                  withField("a", `[0,-0,0.0,0e0,10]`),
	"other case":             `{"message":"m","EVENT_ID":5,"Message":[],"messagE":null}`,
	"same name elsewhere":    `{"message":"m","a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}`,
	"composed, decomposed":   "{\"message\":\"m\",\"\u00e9\":1,\"e\u0301\":2}",
	"empty name":             withField("", `1`),
	"escaped field name":     `{"mess\u0061ge":"m"}`,
	"identity fields":        `{"message":"m","project":"other","project_id":7,"received_at":"x","_offset":-1}`,
	"hostile text":           `{"message":"<script>=cmd|${jndi:ldap://x}' OR 1=1 --"}`,
	"prototype":              `{"message":"m","__proto__":{"x":1},"constructor":null}`,
}

func TestOddButValid(t *testing.T) {
	for name, raw := range oddButValid {
		t.Run(name, func(t *testing.T) { mustDecode(t, raw) })
	}
}

func TestNotAnObject(t *testing.T) {
	for _, raw := range []string{`null`, `[]`, `"x"`, `1`, `true`, ` [{"message":"m"}] `} {
		mustRefuse(t, raw, CodeInvalidEvent, "")
	}
}

func TestEmptyBody(t *testing.T) {
	for _, raw := range []string{"", " ", "\r\n\t "} {
		mustRefuse(t, raw, CodeEmpty, "")
	}
}

func TestErrorsCarryNoHalfAnID(t *testing.T) {
	const id = "0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7"
	for _, raw := range []string{
		`{"event_id":"` + id + "\x01\",\"message\":\"m\"}", `{"event_id":"` + id + `g","message":"m"}`, `{"event_id":"` + id + "\xff\",\"message\":\"m\"}",
		`{"event_id":"00000000-0000-0000-0000-000000000000","message":"m"}`, `{"message":"m","event_id":"` + id + `7`,
	} {
		_, err := decode(raw)
		var e *Error
		if !errors.As(err, &e) || e.EventID != uuid.Nil {
			t.Errorf("%q: %#v, want no id", raw, err)
		}
	}
}

func TestErrorsCarryTheEventID(t *testing.T) {
	const id = "0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b"
	for name, raw := range map[string]string{
		"before the fault":      `{"event_id":"` + id + `","level":"loud","message":"m"}`,
		"behind the fault":      `{"level":"loud","message":"m","event_id":"` + id + `"}`,
		"malformed later on":    `{"event_id":"` + id + `","message":"m",]`,
		"without a message":     `{"event_id":"` + id + `"}`,
		"escaped and bare":      `{"event_id":"\u0030190A5B27C3D7E4F8A1B2C3D4E5F6A7B"}`,
		"malformed by its name": `{"event_id":"` + id + `","a":1,"a":1}`,
	} {
		_, err := decode(raw)
		var e *Error
		if !errors.As(err, &e) || e.EventID.String() != id {
			t.Errorf("%s: %#v, want the id %s", name, err, id)
		}
	}
}

func TestFirstWrongFieldIsNamed(t *testing.T) {
	mustRefuse(t, `{"message":"m","release":1,"level":"loud"}`, CodeInvalidEvent, "release")
	mustRefuse(t, `{"level":"loud","message":"m","release":1}`, CodeInvalidEvent, "level")
}

func TestErrorsRepeatNothing(t *testing.T) {
	const secret = "Zq7secretQz"
	for _, raw := range []string{
		secret, `"` + secret, `{"` + secret + `"`, `{"message":` + secret + `}`, `{"a":"` + secret + `\x"}`,
		`{"` + secret + `":1,"` + secret + `":2}`, withField("level", `"`+secret+`"`), withField("event_id", `"`+secret+`"`),
		withField("user", `{"id":["`+secret+`"]}`), withField("tags", `"`+secret+`"`), good + secret,
	} {
		_, err := decode(raw)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

func TestDecoderIsReusable(t *testing.T) {
	var d Decoder
	var ev Event
	full := []byte(`{"message":"m","level":"info","event_id":"0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b","timestamp":1,
		"fingerprint":["a"],"stacktrace":[{"function":"f"}],"tags":{"a":"b"},"user_context":{"id":"u"},"sdk_name":"s",
		"exception":{"type_name":"T"},"release":"\ud800"}`)
	for range 3 {
		if err := d.Decode(full, &ev); err != nil {
			t.Fatal(err)
		}
		if d.Decode([]byte(`{"message":5,"message":"\ud800`), &ev) == nil {
			t.Fatal("accepted")
		}
		if err := d.Decode([]byte(good), &ev); err != nil {
			t.Fatal(err)
		}
		if ev.HasID || ev.Level != LevelError || ev.Timestamp.Present() || len(ev.Fingerprint)+len(ev.Frames)+len(ev.Tags) > 0 ||
			!ev.UserID.IsZero() || !ev.SDK.Name.IsZero() || !ev.Exception.Type.IsZero() || !ev.Release.IsZero() || ev.NeedsRepair() {
			t.Fatalf("left over: %+v", ev)
		}
	}
}
