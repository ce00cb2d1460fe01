package event

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden decodes testdata/*.json and compares all that is known of each event with the .golden file beside it.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.json")
	if err != nil || len(inputs) == 0 {
		t.Fatal("no inputs", err)
	}
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			got := viewOf(t, raw)
			golden := strings.TrimSuffix(input, ".json") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// view is everything about a decoded event, in the order of the columns.
type view struct {
	ID                                                      string
	Timestamp, ClientTimestamp, IDTime                      time.Time
	Adjusted                                                bool
	Level, Message, Group, IssueID                          string
	ExceptionType, ExceptionValue, ExceptionModule          string
	Environment, Release, Platform, ServerName, Transaction string
	TraceID, UserID, UserEmail, SDKName, SDKVersion         string
	Fingerprint, Frames                                     []string
	Tags                                                    [][2]string
	Payload                                                 string
}

func viewOf(t *testing.T, raw []byte) []byte {
	t.Helper()
	var ev Event
	var v any
	if err := new(Decoder).Decode(raw, &ev); err != nil {
		v = err
	} else {
		v = viewOfEvent(&ev, raw)
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return []byte(out.String())
}

func viewOfEvent(ev *Event, raw []byte) view {
	received := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	hash, group := ev.FingerprintHash(nil)
	v := view{
		Level: ev.Level.String(), Message: ev.MessageText(), Group: string(group), IssueID: hex16(hash),
		ExceptionType: ev.Exception.Type.String(), ExceptionValue: ev.Exception.Value.String(), ExceptionModule: ev.Exception.Module.String(),
		Environment: ev.Environment.String(), Release: ev.Release.String(), Platform: ev.Platform.String(),
		ServerName: ev.ServerName.String(), Transaction: ev.Transaction.String(), TraceID: ev.TraceID.String(),
		UserID: ev.UserID.String(), UserEmail: ev.UserEmail.String(),
		SDKName: ev.SDK.Name.String(), SDKVersion: ev.SDK.Version.String(),
		IDTime:  IDTime(ev.ID, ev.Timestamp),
		Payload: string(ev.AppendPayload(nil, raw)),
	}
	if ev.HasID {
		v.ID = ev.ID.String()
	}
	v.Timestamp, v.ClientTimestamp, v.Adjusted = ev.Times(ev.ID, received, 0, 90*day)
	for _, part := range ev.Fingerprint {
		v.Fingerprint = append(v.Fingerprint, part.String())
	}
	for _, f := range ev.Frames {
		inApp := ""
		if f.InApp {
			inApp = " in app"
		}
		v.Frames = append(v.Frames, f.Filename.String()+"|"+f.Function.String()+inApp)
	}
	for _, tag := range ev.Tags {
		v.Tags = append(v.Tags, [2]string{tag.Key.String(), tag.Value.String()})
	}
	return v
}

func hex16(n uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[n>>(60-4*i)&15]
	}
	return string(b[:])
}
