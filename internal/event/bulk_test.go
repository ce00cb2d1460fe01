package event

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func split(body string, form Form) ([]string, *Bulk, *Error) {
	var b Bulk
	err := SplitBulk([]byte(body), form, &b)
	var items []string
	for _, item := range b.Items {
		items = append(items, string(item))
	}
	var e *Error
	errors.As(err, &e)
	return items, &b, e
}

const (
	inJSON = 1 << FormJSON
	inND   = 1 << FormNDJSON
	inAuto = 1 << FormAuto
)

var bulks = []struct {
	name  string
	forms int // in which forms this holds
	body  string
	want  string // the items joined by |, or a code
}{
	{"array", inJSON | inAuto, `[{"a":1},{"b":2}]`, `{"a":1}|{"b":2}`},
	{"array with space", inJSON | inAuto, " [ \n{\"a\":1}\t,\r\n {\"b\":2 } ] \n", `{"a":1}|{"b":2 }`},
	{"one", inJSON | inAuto, `[{}]`, `{}`},
	{"object", inJSON | inAuto, `{"events":[{"a":1},{"b":2}]}`, `{"a":1}|{"b":2}`},
	{"object, escaped name", inJSON | inAuto, `{"\u0065vents":[1]}`, `1`},
	{"object, other members", inJSON | inAuto, `{"x":{"events":[1]},"events":[2],"y":[null,1e400,"\ud800"]}`, `2`},
	{"object over lines", inJSON | inAuto, "{\n\"events\": [\n{\"a\":1},\n{\"b\":2}\n]\n}\n", `{"a":1}|{"b":2}`},
	{"brackets in strings", inJSON | inAuto, `[{"a":"]},\"]"},{"b":"\\"},"]"]`, `{"a":"]},\"]"}|{"b":"\\"}|"]"`},
	{"nested", inJSON | inAuto, `[{"a":[{},[]]},[[{}]]]`, `{"a":[{},[]]}|[[{}]]`},

	{"not strict, their ends known", inJSON | inAuto, "[{\"a\":\"\xff\"},01,{\"a\":1,\"a\":2},nul,{a:1},{\"a\" 1},NaN,{\"a\":\"\n\"},{,},{\"b\":2}]",
		"{\"a\":\"\xff\"}|01|{\"a\":1,\"a\":2}|nul|{a:1}|{\"a\" 1}|NaN|{\"a\":\"\n\"}|{,}|{\"b\":2}"},
	{"deep", inJSON | inAuto, "[" + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + ",1]", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "|1"},

	{"empty array", inJSON | inAuto, `[]`, "empty"},
	{"empty array with space", inJSON | inAuto, " [ \n ] ", "empty"},
	{"empty events", inJSON | inAuto, `{"events":[]}`, "empty"},
	{"no events", inJSON, `{}`, "empty"},
	{"no events in NDJSON", inND | inAuto, `{}`, `{}`},
	{"null events", inJSON, `{"events":null}`, "empty"},
	{"sent_at only", inJSON, `{"sent_at":1}`, "empty"},
	{"nothing", inJSON | inND | inAuto, "", "empty"},
	{"space", inJSON | inND | inAuto, " \r\n\t\n", "empty"},

	{"single event", inJSON | inAuto, `{"message":"m"}`, `{"message":"m"}`},
	{"single event over lines", inJSON | inAuto, "{\n \"message\": \"m\"\n}\n", "{\n \"message\": \"m\"\n}"},
	{"single event, cut off", inJSON, `{"message":"m"`, "malformed"},
	{"single event, cut off over lines", inJSON, "{\n \"message\": [\n  {", "malformed"},
	{"single event, garbage behind it", inJSON, `{"message":"m"}x`, "malformed"},
	{"events of another type", inJSON, `{"events":{}}`, "malformed"},
	{"string", inJSON, `"x"`, "malformed"},
	{"null", inJSON, `null`, "malformed"},
	{"concatenated", inJSON | inAuto, `{"a":"}{"}{"b":2} {"c":{}}`, `{"a":"}{"}|{"b":2}|{"c":{}}`},
	{"concatenated with events as a field", inJSON | inAuto, `{"message":"m","events":[1]}{"b":2}`, `{"message":"m","events":[1]}|{"b":2}`},
	{"concatenated over lines", inJSON | inAuto, "{\n \"a\": 1\n}{\"b\":2}\n\n{\n \"c\": {}\n}\n{\"d\":4}", "{\n \"a\": 1\n}|{\"b\":2}|{\n \"c\": {}\n}|{\"d\":4}"},
	{"concatenated on lines", inJSON | inAuto, "{\"a\":1}{\"b\":2}\n{\"c\":3}{\"d\":4}\n", `{"a":1}|{"b":2}|{"c":3}|{"d":4}`},
	{"two bulks", inJSON, `{"events":[1]}{"events":[2]}`, "malformed"},
	{"two bulks on lines", inJSON, "{\"events\":[1]}\n{\"events\":[2]}", "malformed"},
	{"byte order mark", inJSON, "\ufeff[1]", "malformed"},

	{"cut off in an item", inJSON | inAuto, `[{"a":1},{"b":`, "malformed"},
	{"cut off in a string", inJSON | inAuto, `[{"a":1},{"b":"]}`, "malformed"},
	{"cut off in an escape", inJSON | inAuto, `["a\`, "malformed"},
	{"cut off behind an item", inJSON | inAuto, `[{"a":1}`, "malformed"},
	{"cut off behind a comma", inJSON | inAuto, `[{"a":1},`, "malformed"},
	{"cut off at once", inJSON | inAuto, `[`, "malformed"},
	{"object cut off", inJSON | inAuto, `{"events":[1]`, "malformed"},
	{"object cut off over lines", inJSON | inAuto, "{\"events\":[\n{\"a\":1}\n", "malformed"},
	{"missing comma", inJSON | inAuto, `[{"a":1}{"b":2}]`, "malformed"},
	{"missing comma between words", inJSON | inAuto, `[1 2]`, "malformed"},
	{"trailing comma", inJSON | inAuto, `[1,]`, "malformed"},
	{"leading comma", inJSON | inAuto, `[,1]`, "malformed"},
	{"double comma", inJSON | inAuto, `[1,,2]`, "malformed"},
	{"wrong closing", inJSON | inAuto, `[1}`, "malformed"},
	{"crossed brackets", inJSON | inAuto, `[{"a":[1},{"b":2]}]`, "malformed"},
	{"trailing garbage", inJSON | inAuto, `[1]x`, "malformed"},
	{"two arrays", inJSON | inAuto, "[1]\n[2]", "malformed"},
	{"garbage behind the object", inJSON | inAuto, `{"events":[1]}]`, "malformed"},
	{"events twice", inJSON | inAuto, `{"events":[1],"events":[2]}`, "malformed"},
	{"events twice, once null", inJSON | inAuto, `{"events":[1],"events":null}`, "malformed"},
	{"sent_at twice", inJSON | inAuto, `{"events":[1],"sent_at":1,"sent_at":1}`, "malformed"},
	{"other member twice", inJSON | inAuto, `{"x":1,"events":[1],"x":1}`, "malformed"},
	{"other member not strict", inJSON | inAuto, "{\"events\":[1],\"x\":\"\xff\"}", "malformed"},
	{"other member too deep", inJSON | inAuto, `{"events":[1],"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}", "malformed"},

	{"NDJSON", inJSON | inND | inAuto, "{\"a\":1}\n{\"b\":2}\n", `{"a":1}|{"b":2}`},
	{"NDJSON without a last newline", inJSON | inND | inAuto, "{\"a\":1}\n{\"b\":2}", `{"a":1}|{"b":2}`},
	{"NDJSON with CRLF, blanks", inJSON | inND | inAuto, "\r\n{\"a\":1}\r\n \t\r\n\n {\"b\":2} \r\n", `{"a":1}|{"b":2}`},
	{"NDJSON, bad lines", inJSON | inND | inAuto, "{\"a\":\n{\"b\":2}\nhello\n\xff\n]", "{\"a\":|{\"b\":2}|hello|\xff|]"},
	{"NDJSON, a bad line between", inJSON | inND | inAuto, "{\"a\":1}\n{\"b\"\n{\"c\":3} x\n{\"d\":4},\n{\"e\":[1}\n{\"f\":6}", "{\"a\":1}|{\"b\"|{\"c\":3} x|{\"d\":4},|{\"e\":[1}|{\"f\":6}"},
	{"NDJSON, a name twice", inJSON | inND | inAuto, "{\"a\":1,\"a\":2}\n{\"b\":2}", `{"a":1,"a":2}|{"b":2}`},
	{"NDJSON of one", inJSON | inND | inAuto, `{"message":"m"}`, `{"message":"m"}`},
	{"NDJSON, garbage first", inND | inAuto, "x\n{\"b\":2}", `x|{"b":2}`},
	{"NDJSON, arrays", inND, "[1]\n[2]", `[1]|[2]`},
	{"NDJSON, byte order mark", inND | inAuto, "\ufeff{}\n{}", "\ufeff{}|{}"},
	{"NDJSON, events as a field", inJSON | inND | inAuto, "{\"message\":\"m\",\"events\":[1]}\n{\"b\":2}\n", `{"message":"m","events":[1]}|{"b":2}`},
	{"NDJSON, events of another type", inJSON | inND | inAuto, `{"message":"m","events":5}`, `{"message":"m","events":5}`},
	{"NDJSON, an array as one line", inND, `[{"a":1},{"b":2}]`, `[{"a":1},{"b":2}]`},
	{"NDJSON, object as one line", inND, `{"events":[1]}`, `{"events":[1]}`},
}

func TestSplitBulk(t *testing.T) {
	for _, c := range bulks {
		for form := FormJSON; form <= FormAuto; form++ {
			if c.forms&(1<<form) == 0 {
				continue
			}
			items, _, err := split(c.body, form)
			got := strings.Join(items, "|")
			if err != nil {
				got = string(err.Code)
				if len(items) > 0 {
					t.Errorf("%s, form %d: items beside an error", c.name, form)
				}
			}
			if got != c.want {
				t.Errorf("%s, form %d: %.200q, want %.200q (%v)", c.name, form, got, c.want, err)
			}
		}
	}
}

func TestBulkLimit(t *testing.T) {
	for _, n := range []int{MaxBulkEvents - 1, MaxBulkEvents, MaxBulkEvents + 1} {
		commas := strings.Repeat("{},", n-1) + "{}"
		for form, body := range map[string]Form{
			"[" + commas + "]": FormJSON, `{"events":[` + commas + "]}": FormJSON, "[" + commas + "] ": FormAuto,
			strings.Repeat("{}\n\n", n): FormNDJSON, strings.Repeat("{}\n", n): FormJSON, strings.Repeat("{}", n): FormJSON,
			strings.Repeat("{} ", n): FormAuto,
		} {
			items, _, err := split(form, body)
			if n <= MaxBulkEvents && (err != nil || len(items) != n) {
				t.Errorf("%d items: %d, %v", n, len(items), err)
			}
			if n > MaxBulkEvents && (err == nil || err.Code != CodeTooLarge || err.Limit != LimitBulkEvents || len(items) > 0) {
				t.Errorf("%d items: %d, %v", n, len(items), err)
			}
		}
	}
}

func TestBulkSentAt(t *testing.T) {
	for member, want := range map[string]Timestamp{
		``:                                    {},
		`,"sent_at":null`:                     {},
		`,"sent_at":1700000000123`:            {understood, 1700000000123},
		`,"sent_at":"1700000000123"`:          {understood, 1700000000123},
		`,"sent_at":"2023-11-14T22:13:20.5Z"`: {understood, 1700000000500},
		`,"sent_at":"now"`:                    {state: notUnderstood},
		`,"sent_at":[1]`:                      {state: notUnderstood},
	} {
		for _, body := range []string{`{"events":[1]` + member + `}`, `{"x":1` + member + `,"events":[1]}`} {
			_, b, err := split(body, FormJSON)
			if err != nil || b.SentAt != want {
				t.Errorf("%s: %+v, want %+v (%v)", body, b.SentAt, want, err)
			}
		}
	}
	if _, b, _ := split(`{"sent_at":1}`+"\n{}", FormAuto); b.SentAt.Present() {
		t.Error("a line's sent_at is the bulk's")
	}
}

func TestBulkItemsCannotGrowIntoEachOther(t *testing.T) {
	for _, form := range []Form{FormJSON, FormNDJSON} {
		var b Bulk
		if err := SplitBulk([]byte("[1,2]\n[3]")[:5+4*int(form)], form, &b); err != nil {
			t.Fatal(err)
		}
		for _, item := range b.Items {
			if cap(item) != len(item) {
				t.Errorf("%q has room for more", item)
			}
		}
	}
}

// Lines that break off are read in linear time too, and no more of them than a bulk may have.
func TestBrokenLinesAreLinear(t *testing.T) {
	var b Bulk
	start := time.Now()
	for _, line := range []string{"{\"a\":\n", "{\"a\":[\n", "{\"a\":[\"\n", "{\n"} {
		wide := strings.Repeat(" ", MaxBulkBytes/MaxBulkEvents-len(line))
		body := strings.Repeat(wide+line, MaxBulkEvents)
		for _, form := range []Form{FormJSON, FormAuto} {
			if err := SplitBulk([]byte(body), form, &b); err != nil || len(b.Items) != MaxBulkEvents {
				if form == FormAuto || err == nil {
					t.Errorf("%q, form %d: %d items, %v", line, form, len(b.Items), err)
				}
			}
		}
	}
	// It takes less than 10 s with the race detector, and hours if it is not linear.
	if took := time.Since(start); took > 2*time.Minute {
		t.Errorf("took %v", took)
	}
}

func TestBulkIsReusableAndLinear(t *testing.T) {
	var b Bulk
	start := time.Now()
	for _, body := range []string{
		strings.Repeat("[", MaxBulkBytes), strings.Repeat(`{"a":`, MaxBulkBytes/5), "[" + strings.Repeat(`"`, MaxBulkBytes),
		`["` + strings.Repeat(`\"`, MaxBulkBytes/2), "[" + strings.Repeat(" ", MaxBulkBytes), strings.Repeat("\n", MaxBulkBytes),
		`{` + strings.Repeat(`"events":[],`, MaxBulkBytes/12), "[" + strings.Repeat("x", MaxBulkBytes), strings.Repeat("{", MaxBulkBytes),
	} {
		for form := FormJSON; form <= FormAuto; form++ {
			if err := SplitBulk([]byte(body), form, &b); err == nil && form == FormJSON {
				t.Errorf("%.20q… accepted", body)
			}
		}
		if err := SplitBulk([]byte(`{"sent_at":5,"events":[1]}`), FormJSON, &b); err != nil || len(b.Items) != 1 {
			t.Error(err)
		}
		if err := SplitBulk([]byte(`[1,2]`), FormJSON, &b); err != nil || len(b.Items) != 2 || b.SentAt.Present() {
			t.Errorf("%v %+v", err, b.SentAt)
		}
	}
	// It takes less than 10 s with the race detector, and hours if it is not linear.
	if took := time.Since(start); took > 2*time.Minute {
		t.Errorf("took %v", took)
	}
}
