package format

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/event"
)

// FuzzSentry: no item makes the reader panic or keep too much. An item that it takes has a payload that is JSON, and
// the same columns when it is read again, by the same decoder or by another one.
func FuzzSentry(f *testing.F) {
	files, err := filepath.Glob("testdata/sentry/*.jsonl")
	require.NoError(f, err)
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(f, err)
		for line := range strings.Lines(string(raw)) {
			f.Add([]byte(line))
		}
	}
	f.Add([]byte(`{"exception":{"values":[{"type":"\ud800","stacktrace":{"frames":[{"filename":"a"}]}},[[{}]]]},"tags":[["a",{"b":"\udc00"}]]}`))
	d := event.Decoder{Formats: All()}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var ev event.Event
		if d.DecodeAs(Sentry, raw, &ev) != nil {
			return
		}
		if !json.Valid(ev.AppendPayload(nil, raw)) {
			t.Fatalf("%q is no JSON", raw)
		}
		if len(ev.Frames) > event.MaxFrames || len(ev.Tags) > event.MaxTags || len(ev.Fingerprint) > event.MaxFingerprintParts {
			t.Fatal("it keeps too much")
		}
		hash, _ := ev.FingerprintHash(nil)
		first := columnsOf(&ev)
		for _, again := range []*event.Decoder{&d, {Formats: All()}} {
			require.NoError(t, again.DecodeAs(Sentry, raw, &ev))
			require.Equal(t, first, columnsOf(&ev))
			same, _ := ev.FingerprintHash(nil)
			require.Equal(t, hash, same)
		}
	})
}
