package event

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestWrongTypes(t *testing.T) {
	all := map[string]string{"string": `"x"`, "number": `1`, "true": `true`, "array": `[]`, "object": `{}`}
	for field, allowed := range map[string]string{
		"message": "string", "level": "", "event_id": "", "timestamp": "string number", "fingerprint": "string array",
		"exception": "object", "stacktrace": "array", "tags": "array object", "user": "object", "user_context": "object",
		"sdk": "object", "sdk_name": "string", "sdk_version": "string", "environment": "string", "release": "string",
		"platform": "string", "server_name": "string", "transaction": "string", "trace_id": "string",
		"exception.type": "string", "exception.type_name": "string", "exception.value": "string",
		"exception.module": "string", "exception.module_name": "string",
		"stacktrace.filename": "string", "stacktrace.function": "string", "stacktrace.function_name": "string",
		"stacktrace.context_line": "string", "stacktrace.lineno": "number", "stacktrace.colno": "number",
		"stacktrace.in_app": "true", "user.id": "string number", "user.email": "string",
		"user_context.id": "string number", "user_context.email": "string", "sdk.name": "string", "sdk.version": "string",
	} {
		for kind, value := range all {
			raw := eventWith(field, value)
			if strings.Contains(allowed, kind) {
				mustDecode(t, raw)
			} else {
				mustRefuse(t, raw, CodeInvalidEvent, field)
			}
		}
		mustDecode(t, eventWith(field, `null`))
	}
}

// eventWith builds an event whose field, perhaps a nested one, has the value.
func eventWith(field, value string) string {
	parent, child, nested := strings.Cut(field, ".")
	if nested {
		value = `{"` + child + `":` + value + `}`
	}
	if nested && parent == "stacktrace" {
		value = "[" + value + "]"
	}
	message := `"message":"m",`
	if field == "message" {
		message = `"exception":{"type":"T"},`
	}
	return `{` + message + `"` + parent + `":` + value + `}`
}

func TestNullInArraysIsAWrongType(t *testing.T) {
	mustRefuse(t, withField("fingerprint", `["a",null]`), CodeInvalidEvent, "fingerprint")
	mustRefuse(t, withField("fingerprint", `["a",1]`), CodeInvalidEvent, "fingerprint")
	mustRefuse(t, withField("stacktrace", `[null]`), CodeInvalidEvent, "stacktrace")
	mustRefuse(t, withField("stacktrace", `["f"]`), CodeInvalidEvent, "stacktrace")
}

func TestLevels(t *testing.T) {
	for word, want := range map[string]Level{
		"fatal": LevelFatal, "FATAL": LevelFatal, "critical": LevelFatal, "Critical": LevelFatal,
		"error": LevelError, "eRRor": LevelError, "warning": LevelWarning, "warn": LevelWarning, "WARN": LevelWarning,
		"info": LevelInfo, "log": LevelInfo, "debug": LevelDebug, "trace": LevelDebug, `\u0066atal`: LevelFatal,
		"crit": LevelFatal, "alert": LevelFatal, "emerg": LevelFatal, "emergency": LevelFatal, "panic": LevelFatal, "PANIC": LevelFatal,
		"err": LevelError, "Err": LevelError, "notice": LevelInfo, "Information": LevelInfo, "INFORMATION": LevelInfo, "Verbose": LevelDebug,
	} {
		if got := mustDecode(t, withField("level", `"`+word+`"`)).Level; got != want {
			t.Errorf("%s is %s, want %s", word, got, want)
		}
	}
	if got := mustDecode(t, good).Level; got != LevelError {
		t.Errorf("absent is %s", got)
	}
	for _, word := range []string{"", "loud", " error", "er", "errr", "informational", "criticale", "0", "warnin", "emergenc", "\u017fatal", `fatal\u0000`} {
		mustRefuse(t, withField("level", `"`+word+`"`), CodeInvalidEvent, "level")
	}
	if LevelDebug != 1 || LevelFatal != 5 || Level(0).String() != "" {
		t.Error("the numbers of the levels are those of the column")
	}
}

func TestEventIDs(t *testing.T) {
	want := uuid.MustParse("0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b")
	for _, text := range []string{
		"0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b", "0190A5B2-7C3D-7E4F-8A1B-2C3D4E5F6A7B", "0190a5b27c3d7e4f8a1b2c3d4e5f6a7b",
		"0190A5b27c3d7e4f8a1b2c3d4e5f6a7b", `0190a5b2\u002d7c3d-7e4f-8a1b-2c3d4e5f6a7b`,
	} {
		ev := mustDecode(t, withField("event_id", `"`+text+`"`))
		if !ev.HasID || ev.ID != want {
			t.Errorf("%s: %v %s", text, ev.HasID, ev.ID)
		}
	}
	for _, text := range []string{
		"", "x", "0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7", "0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b0",
		"{0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b}", "urn:uuid:0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b",
		"0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7g", "0190a5b27c3d-7e4f-8a1b-2c3d4e5f6a7b", "0190a5b2_7c3d_7e4f_8a1b_2c3d4e5f6a7b",
		"00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000", " 190a5b27c3d7e4f8a1b2c3d4e5f6a7b",
		strings.Repeat("0", 1_000_000), strings.Repeat(`\u0030`, 100_000),
	} {
		mustRefuse(t, withField("event_id", `"`+text+`"`), CodeInvalidEvent, "event_id")
	}
	if mustDecode(t, withField("event_id", `null`)).HasID {
		t.Error("null is an id")
	}
	for _, text := range []string{"ffffffff-ffff-ffff-ffff-ffffffffffff", "00000000-0000-0000-0000-000000000001"} {
		mustDecode(t, withField("event_id", `"`+text+`"`))
	}
}

func TestMessageRequired(t *testing.T) {
	for _, raw := range []string{
		`{}`, `{"message":""}`, `{"message":"  "}`, `{"message":" \t\n\u00a0\u2003 "}`, `{"message":null}`,
		`{"exception":{}}`, `{"exception":{"type":""}}`, `{"exception":{"type":" ","value":"\n"},"message":" "}`,
		`{"exception":{"module":"m"}}`, `{"exception":null}`,
	} {
		mustRefuse(t, raw, CodeInvalidEvent, "message")
	}
	for raw, want := range map[string]string{
		`{"message":" m "}`:                                         " m ",
		`{"message":"\u0000"}`:                                      "\x00",
		`{"message":"\ud800"}`:                                      "\ufffd",
		`{"message":"caf\u00e9 é"}`:                                 "café é",
		`{"exception":{"type":"T","value":"v"}}`:                    "T: v",
		`{"exception":{"type":"T"}}`:                                "T",
		`{"exception":{"value":"v"}}`:                               "v",
		`{"message":" ","exception":{"type":"T","value":"v"}}`:      "T: v",
		`{"message":"m","exception":{"type":"T","value":"v"}}`:      "m",
		`{"message":"","exception":{"type_name":"T","value":"\""}}`: `T: "`,
	} {
		if got := mustDecode(t, raw).MessageText(); got != want {
			t.Errorf("%s says %q, want %q", raw, got, want)
		}
	}
}

func TestOlderNames(t *testing.T) {
	type view struct{ typ, module, function, user, email, sdk, version string }
	look := func(ev *Event) view {
		return view{
			ev.Exception.Type.String(), ev.Exception.Module.String(), ev.Frames[0].Function.String(),
			ev.UserID.String(), ev.UserEmail.String(), ev.SDK.Name.String(), ev.SDK.Version.String(),
		}
	}
	older := `"sdk_name":"on","sdk_version":"ov","user_context":{"id":"oi","email":"oe"}`
	for raw, want := range map[string]view{
		`{` + older + `,"exception":{"type_name":"ot","module_name":"om"},"stacktrace":[{"function_name":"of"}]}`: {
			"ot", "om", "of", "oi", "oe", "on", "ov"},
		`{` + older + `,"exception":{"type_name":"ot","type":"t","module":"m","module_name":"om"},
		  "stacktrace":[{"function":"f","function_name":"of"}],"user":{"id":7,"email":"e"},"sdk":{"name":"n","version":"v"}}`: {
			"t", "m", "f", "7", "e", "n", "v"},
		`{"sdk":{"name":"n","version":""},"user":{"id":"i","email":null},` + older + `,"exception":{"type":"t","type_name":"ot"},
		  "stacktrace":[{"function_name":"of","function":null}]}`: {
			"t", "", "of", "i", "oe", "n", "ov"},
	} {
		if got := look(mustDecode(t, raw)); got != want {
			t.Errorf("%s\n got %+v\nwant %+v", raw, got, want)
		}
	}
}

func TestUserID(t *testing.T) {
	for value, want := range map[string]string{
		`"u"`: "u", `42`: "42", `-1.50e3`: "-1.50e3", `9007199254740993`: "9007199254740993", `""`: "", `null`: "",
	} {
		if got := mustDecode(t, withField("user", `{"id":`+value+`,"ip_address":["any"],"username":{}}`)).UserID.String(); got != want {
			t.Errorf("%s is %q, want %q", value, got, want)
		}
	}
}

func TestTags(t *testing.T) {
	for value, want := range map[string]string{
		`{}`: "", `[]`: "", `null`: "",
		`{"a":"1","b":2,"c":true,"d":null,"e":{"x": [1]},"f":"\u00e9"}`:                     `a=1;b=2;c=true;d=null;e={"x": [1]};f=é;`,
		`[["a","1"],["b",2.50],["c",[ 1 , 2 ]]]`:                                            `a=1;b=2.50;c=[ 1 , 2 ];`,
		`[["a","1"],["a","2"],["\u0061","3"],["b",""]]`:                                     `a=1;b=;`,
		`{"k\ud800":"v\udc00","j":["\ud800\uFFFD",{"\udfff":"\ud83d\ude00\\ud800"}],"l":1}`: "k\ufffd=v\ufffd;" + `j=["\ufffd\uFFFD",{"\ufffd":"\ud83d\ude00\\ud800"}];l=1;`,
		`{"":""}`: `=;`,
	} {
		var got strings.Builder
		for _, tag := range mustDecode(t, withField("tags", value)).Tags {
			got.WriteString(tag.Key.String() + "=" + tag.Value.String() + ";")
		}
		if got.String() != want {
			t.Errorf("%s\n got %s\nwant %s", value, got.String(), want)
		}
	}
	for _, value := range []string{
		`[1]`, `["a"]`, `[[]]`, `[["a"]]`, `[["a","b","c"]]`, `[[1,"b"]]`, `[[null,"b"]]`, `[null]`, `[{"a":"b"}]`, `[["a","b"],[["a"],"b"]]`,
	} {
		mustRefuse(t, withField("tags", value), CodeInvalidEvent, "tags")
	}
}
