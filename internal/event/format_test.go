package event

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/strictjson"
)

// shout is a format of one text, under "say". The text "mute" is refused.
type shout struct{}

func (shout) Fields(_ strictjson.Kind, name []byte) strictjson.Field {
	if string(name) == "say" {
		return 1
	}
	return strictjson.NoField
}

func (shout) Read(s *strictjson.Scanner, ev *Event) *Error {
	for o := s.Object(0); s.Member(&o); {
		if o.Field == 1 {
			ev.Message = s.Scalar()
		} else {
			s.Value()
		}
	}
	if ev.Message.String() == "mute" {
		return &Error{Code: CodeInvalidEvent, Reason: "It says nothing."}
	}
	ev.Message = ev.Compose(" ", ev.Message, ev.Message)
	return nil
}

var shouts = Formats{"shout": func() Reader { return shout{} }}

// TestDecodeAs: an item of another format goes through its reader, under the rules of JSON and size that hold for all.
func TestDecodeAs(t *testing.T) {
	d := Decoder{MaxBytes: 40, Formats: shouts}
	var ev Event
	for raw, c := range map[string]struct {
		message string
		code    Code
	}{
		`{"say":"a\u00e9","x":[1]}`: {"aé aé", ""},
		` {"say":7} `:               {"7 7", ""},
		`{}`:                        {"", ""},
		`{"say":"mute"}`:            {"", CodeInvalidEvent},
		`[]`:                        {"", CodeInvalidEvent},
		``:                          {"", CodeEmpty},
		`{"say":"a"`:                {"", CodeMalformed},
		`{"say":"mute"} x`:          {"", CodeMalformed},
		`{"say":"a","say":"b"}`:     {"", CodeMalformed},
		`{"say":"a"}                              `: {"", CodeTooLarge},
	} {
		err := d.DecodeAs("shout", []byte(raw), &ev)
		if c.code != "" {
			refused, is := err.(*Error)
			require.True(t, is, raw)
			assert.Equal(t, c.code, refused.Code, raw)
			continue
		}
		require.NoError(t, err, raw)
		assert.Equal(t, c.message, ev.MessageText(), raw)
		assert.Equal(t, LevelInfo, ev.Level)
	}
	require.NoError(t, d.DecodeAs("", []byte(`{"message":"own"}`), &ev))
	assert.Equal(t, "own", ev.MessageText())
	assert.Equal(t, LevelError, ev.Level)
}

// TestRecordOfAFormat: the header says which reader reads the value. A format that this version does not know is a dead
// letter, which a later version can replay.
func TestRecordOfAFormat(t *testing.T) {
	d := Decoder{Formats: shouts}
	var ev Event
	of := envelope
	for name, reason := range map[string]DeadReason{
		"shout": "", "whisper": DeadUnknownFormat, "abcdefghijklmnop": DeadUnknownFormat,
	} {
		of.Format = name
		got, err := DecodeRecord(&d, []byte(`{"say":"hi"}`), of.Headers(), 100, &ev)
		if reason == "" {
			require.NoError(t, err)
			assert.Equal(t, of, got)
			assert.Equal(t, "hi hi", ev.MessageText())
			continue
		}
		var refused *RecordError
		require.ErrorAs(t, err, &refused, name)
		assert.Equal(t, reason, refused.Reason, name)
	}
	for _, bad := range []string{"", "Shout", "sh out", "abcdefghijklmnopq"} {
		of.Format = bad
		assert.Len(t, of.Headers(), 6, bad)
		headers := append(of.Headers(), Header{HeaderFormat, []byte(bad)})
		var refused *RecordError
		_, err := DecodeRecord(&d, []byte(`{"say":"hi"}`), headers, 100, &ev)
		require.ErrorAs(t, err, &refused, bad)
		assert.Equal(t, DeadBadHeader, refused.Reason, bad)
	}
}

// TestFingerprintExpandsDefault: {{ default }} stands for what would group the event without a fingerprint.
func TestFingerprintExpandsDefault(t *testing.T) {
	hashOf := func(expands bool, parts ...string) uint64 {
		ev := Event{Message: strictjson.Verbatim([]byte("order 17"))}
		ev.ExpandsDefault = expands
		for _, p := range parts {
			ev.Fingerprint = append(ev.Fingerprint, strictjson.Verbatim([]byte(p)))
		}
		hash, _ := ev.FingerprintHash(nil)
		return hash
	}
	plain := hashOf(true)
	assert.Equal(t, plain, hashOf(true, "{{ default }}"))
	assert.Equal(t, plain, hashOf(true, "{{default}}"))
	assert.NotEqual(t, plain, hashOf(false, "{{ default }}"))
	assert.Equal(t, hashOf(true, "a", "msg:order #"), hashOf(true, "a", "{{ default }}"))
	assert.NotEqual(t, plain, hashOf(true, "a", "{{ default }}"))
}
