package format

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/event"
)

var update = flag.Bool("format.update", false, "write the golden files anew")

// columns are the columns of an event that its reader decides about.
type columns struct {
	EventID        string            `json:"event_id,omitempty"`
	Timestamp      string            `json:"timestamp,omitempty"`
	Level          string            `json:"level"`
	Message        string            `json:"message"`
	ExceptionType  string            `json:"exception_type,omitempty"`
	ExceptionValue string            `json:"exception_value,omitempty"`
	Frames         []string          `json:"frames,omitempty"`
	Fingerprint    []string          `json:"fingerprint,omitempty"`
	UserID         string            `json:"user_id,omitempty"`
	UserEmail      string            `json:"user_email,omitempty"`
	Release        string            `json:"release,omitempty"`
	Environment    string            `json:"environment,omitempty"`
	Platform       string            `json:"platform,omitempty"`
	ServerName     string            `json:"server_name,omitempty"`
	Transaction    string            `json:"transaction,omitempty"`
	TraceID        string            `json:"trace_id,omitempty"`
	SDK            string            `json:"sdk,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`
}

func columnsOf(ev *event.Event) columns {
	c := columns{
		Level: ev.Level.String(), Message: ev.MessageText(),
		ExceptionType: ev.Exception.Type.String(), ExceptionValue: ev.Exception.Value.String(),
		UserID: ev.UserID.String(), UserEmail: ev.UserEmail.String(), Release: ev.Release.String(),
		Environment: ev.Environment.String(), Platform: ev.Platform.String(), ServerName: ev.ServerName.String(),
		Transaction: ev.Transaction.String(), TraceID: ev.TraceID.String(),
		SDK: strings.TrimSpace(ev.SDK.Name.String() + " " + ev.SDK.Version.String()),
	}
	if ev.HasID {
		c.EventID = ev.ID.String()
	}
	if t, understood := ev.Timestamp.Time(); understood {
		c.Timestamp = t.Format(time.RFC3339Nano)
	}
	for _, f := range ev.Frames {
		text := f.Filename.String() + "|" + f.Function.String()
		if f.InApp {
			text += "|in app"
		}
		c.Frames = append(c.Frames, text)
	}
	for _, part := range ev.Fingerprint {
		c.Fingerprint = append(c.Fingerprint, part.String())
	}
	for _, tag := range ev.Tags {
		if c.Tags == nil {
			c.Tags = map[string]string{}
		}
		c.Tags[tag.Key.String()] = tag.Value.String()
	}
	return c
}

// readAs reads an item and returns its columns.
func readAs(t *testing.T, d *event.Decoder, format, raw string) columns {
	t.Helper()
	var ev event.Event
	require.NoError(t, d.DecodeAs(format, []byte(raw), &ev), raw)
	return columnsOf(&ev)
}

// TestSentryGolden: items as clients sent them have the columns of the golden files. Each file has an item a line.
func TestSentryGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/sentry/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	d := event.Decoder{Formats: All()}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var all []columns
		for line := range strings.Lines(string(raw)) {
			all = append(all, readAs(t, &d, Sentry, line))
		}
		got, err := json.MarshalIndent(all, "", "  ")
		require.NoError(t, err)
		golden := strings.TrimSuffix(file, ".jsonl") + ".golden.json"
		if *update {
			require.NoError(t, os.WriteFile(golden, append(got, '\n'), 0o600))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		assert.JSONEq(t, string(want), string(got), file)
	}
}

// TestSentryVariants: clients of all ages write the same thing in different ways.
func TestSentryVariants(t *testing.T) {
	t.Parallel()
	d := event.Decoder{Formats: All()}
	for raw, want := range map[string]columns{
		`{}`:              {Level: "error"},
		`{"message":"a"}`: {Level: "error", Message: "a"},
		`{"message":{"formatted":"a","message":"b"}}`: {Level: "error", Message: "a"},
		`{"message":{"message":"b"},"exception":[{"type":"T"}]}`: {
			Level: "error", Message: "b", ExceptionType: "T",
		},
		`{"message":"m","logentry":{"message":"t %s","params":["x"]}}`: {
			Level: "error", Message: "t %s",
		},
		`{"message":"m","logentry":{"message":"t %s","formatted":"t x"}}`: {
			Level: "error", Message: "t x",
		},
		`{"message":"m","sentry.interfaces.Message":{"message":"t"}}`: {
			Level: "error", Message: "t",
		},
		`{"exception":{"type":"T","value":"v","module":"m"}}`: {
			Level: "error", Message: "T: v", ExceptionType: "T", ExceptionValue: "v",
		},
		`{"exception":{"values":[{"type":"A"},{"type":"B","value":7},null]}}`: {
			Level: "error", Message: "B: 7", ExceptionType: "B", ExceptionValue: "7",
		},
		`{"exception":[{"type":"A","stacktrace":{"frames":[{"filename":"a"}]}},{"type":"B"}]}`: {
			Level: "error", Message: "B", ExceptionType: "B",
		},
		`{"exception":[{"type":"B","stacktrace":null}],"threads":[{"stacktrace":[{"module":"m"}]}]}`: {
			Level: "error", Message: "B", ExceptionType: "B", Frames: []string{"m|"},
		},
		`{"threads":{"values":[{"stacktrace":{"frames":[{"filename":"a"}]}},` +
			`{"current":true,"stacktrace":{"frames":[{"abs_path":"b","filename":""}]}},` +
			`{"crashed":false,"stacktrace":{"frames":[{"filename":"c"}]}}]}}`: {Level: "error", Frames: []string{"b|"}},
		`{"threads":[{"current":true,"stacktrace":[{"filename":"a"}]},` +
			`{"crashed":true,"stacktrace":{"frames":[{"filename":"b","raw_function":"f","in_app":true}]}}]}`: {
			Level: "error", Frames: []string{"b|f|in app"},
		},
		`{"stacktrace":{"frames":[{"filename":"a"},7]},"threads":[{"crashed":true,"stacktrace":[{}]}]}`: {
			Level: "error", Frames: []string{"a|"},
		},
		`{"threads":[{"stacktrace":[{"filename":"a"}]},{"stacktrace":[{"filename":"b"}]}]}`: {
			Level: "error", Frames: []string{"a|"},
		},
		`{"tags":[["a",1],["b",null],["c"],{"key":"d","value":"e"},["a",2],7]}`: {
			Level: "error", Tags: map[string]string{"a": "1", "d": "e"},
		},
		`{"tags":{"a":true,"b":null,"c":[1],"user.id":"u"},"fingerprint":[]}`: {
			Level: "error", Tags: map[string]string{"a": "true", "c": "[1]", "user.id": "u"},
		},
		`{"fingerprint":["a",1,null,{"b":1}],"user":{"id":7}}`: {
			Level: "error", Fingerprint: []string{"a", "1"}, UserID: "7",
		},
		`{"fingerprint":"a","user":[1],"sdk":1,"contexts":[],"exception":1,"threads":2,"stacktrace":3}`: {
			Level: "error", Fingerprint: []string{"a"},
		},
		`{"level":"warn"}`:                                {Level: "warning"},
		`{"level":"LOG"}`:                                 {Level: "info"},
		`{"level":50}`:                                    {Level: "fatal"},
		`{"level":"50"}`:                                  {Level: "fatal"},
		`{"level":"loud"}`:                                {Level: "error"},
		`{"level":{"name":"info"}}`:                       {Level: "error"},
		`{"event_id":"nonsense","timestamp":[1]}`:         {Level: "error"},
		`{"event_id":"00000000000000000000000000000000"}`: {Level: "error"},
		`{"event_id":"FC6D8C0C43FC4630AD850EE518F1B9D0","timestamp":"2011-05-02T17:41:36.123456789"}`: {
			Level: "error", EventID: "fc6d8c0c-43fc-4630-ad85-0ee518f1b9d0", Timestamp: "2011-05-02T17:41:36.123Z",
		},
		`{"timestamp":1795839478.1582956}`: {Level: "error", Timestamp: "2026-11-28T04:17:58.158Z"},
		`{"type":"transaction","transaction":"GET /","contexts":{"trace":{"trace_id":"t"}}}`: {
			Level: "info", Message: "GET /", Transaction: "GET /", TraceID: "t",
		},
		`{"type":"transaction","start_timestamp":1795839478,"level":"error"}`: {
			Level: "error", Timestamp: "2026-11-28T04:17:58Z",
		},
		`{"body":"b","level":"trace","trace_id":"t"}`:         {Level: "debug", Message: "b", TraceID: "t"},
		`{"body":{"a":1},"severity_number":21}`:               {Level: "fatal", Message: `{"a":1}`},
		`{"body":"b","severity_number":99999999999999999999}`: {Level: "info", Message: "b"},
		`{"body":"b","severity_number":"x"}`:                  {Level: "info", Message: "b"},
		`{"body":"b","contexts":{},"message":"m"}`:            {Level: "error", Message: "m"},
		`{"body":"b","attributes":{"a":{"value":1.5},"b":{"x":1},"c":"raw","d":null,"user.id":{"value":7}}}`: {
			Level: "info", Message: "b", UserID: "7",
			Tags: map[string]string{"a": "1.5", "b": `{"x":1}`, "c": "raw", "user.id": "7"},
		},
		`{"span_id":"s","trace_id":"t","op":"db","start_timestamp":1,"timestamp":2}`: {
			Level: "info", Message: "db", TraceID: "t", Timestamp: "1970-01-01T00:00:02Z",
		},
		`{"span_id":"s","op":"db","description":"SELECT 1","data":{"db.system":"pg"}}`: {
			Level: "info", Message: "SELECT 1", Tags: map[string]string{"db.system": "pg"},
		},
		`{"span_id":"s","name":"n","start_timestamp":1,"end_timestamp":2.5,"release":"r","data":{"sentry.release":"other"}}`: {
			Level: "info", Message: "n", Timestamp: "1970-01-01T00:00:02.5Z", Release: "r",
			Tags: map[string]string{"sentry.release": "other"},
		},
		`{"contexts":{"feedback":{"message":"bad","contact_email":"a@b.c"}},"user":{"email":"own@b.c"}}`: {
			Level: "info", Message: "bad", UserEmail: "own@b.c",
		},
		`{"contexts":{"feedback":{"contact_email":"a@b.c"},"trace":7},"level":"error"}`: {
			Level: "error", UserEmail: "a@b.c",
		},
	} {
		assert.Equal(t, want, readAs(t, &d, Sentry, raw), raw)
	}
}

// TestSentryBounds: an item of any size takes bounded memory.
func TestSentryBounds(t *testing.T) {
	t.Parallel()
	d := event.Decoder{Formats: All()}
	var ev event.Event
	many := func(n int, item string) string { return "[" + strings.Repeat(item+",", n-1) + item + "]" }
	for _, n := range []int{event.MaxFrames - 1, event.MaxFrames, event.MaxFrames + 1} {
		frames := many(n, "{}")
		want := min(n, event.MaxFrames)
		for _, raw := range []string{
			`{"exception":{"values":[{"stacktrace":{"frames":` + frames + `}}]}}`,
			`{"threads":[{"stacktrace":` + frames + `}]}`,
			`{"stacktrace":` + frames + `}`,
		} {
			require.NoError(t, d.DecodeAs(Sentry, []byte(raw), &ev))
			assert.Len(t, ev.Frames, want)
		}
		require.NoError(t, d.DecodeAs(Sentry, []byte(`{"fingerprint":`+many(n, `"a"`)+`}`), &ev))
		assert.Len(t, ev.Fingerprint, min(n, event.MaxFingerprintParts))
	}
	deep := func(n int) []byte {
		return []byte(`{"exception":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + "}")
	}
	require.NoError(t, d.DecodeAs(Sentry, deep(event.MaxDepth), &ev))
	require.Error(t, d.DecodeAs(Sentry, deep(event.MaxDepth+1), &ev))
	require.Error(t, d.DecodeAs(Sentry, deep(100_000), &ev))
}

// TestSentryReuse: nothing of an item stays for the next one.
func TestSentryReuse(t *testing.T) {
	t.Parallel()
	d := event.Decoder{Formats: All()}
	full := `{"type":"transaction","body":"b","span_id":"s","level":"debug","message":"m",` +
		`"logentry":{"formatted":"f"},` +
		`"exception":[{"type":"T","stacktrace":[{"filename":"a"}]}],` +
		`"threads":[{"crashed":true,"stacktrace":[{"filename":"b"}]}],` +
		`"attributes":{"user.id":"u","sentry.release":"r"},` +
		`"contexts":{"feedback":{"message":"x","contact_email":"e"}},` +
		`"end_timestamp":5,"trace_id":"t","tags":{"a":"b"},"fingerprint":["f"]}`
	for range 3 {
		readAs(t, &d, Sentry, full)
		assert.Equal(t, columns{Level: "error"}, readAs(t, &d, Sentry, `{}`))
	}
}

// BenchmarkSentry reads an event of 2.5 KB as sentry-go sends it.
func BenchmarkSentry(b *testing.B) {
	raw, err := os.ReadFile("testdata/sentry/event.jsonl")
	require.NoError(b, err)
	line, _, _ := strings.Cut(string(raw), "\n")
	d := event.Decoder{Formats: All()}
	var ev event.Event
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if err := d.DecodeAs(Sentry, []byte(line), &ev); err != nil {
			b.Fatal(err)
		}
	}
}
