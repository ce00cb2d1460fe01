package event

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestShipperNames: the names of log shippers fill what our own names leave absent, in whatever order they come.
func TestShipperNames(t *testing.T) {
	const at = "2026-11-28T04:37:10.896Z"
	type view struct {
		message, server string
		level           Level
		at              string
	}
	for raw, want := range map[string]view{
		`{"@timestamp":"` + at + `","log":"l","severity":"warn","host":"h"}`:                         {"l", "h", LevelWarning, at},
		`{"@timestamp":1795840630.896,"log":"l","msg":"m"}`:                                          {"m", "", LevelError, at},
		`{"msg":"m","log":"l","message":"own","host":"h","server_name":"s"}`:                         {"own", "s", LevelError, ""},
		`{"message":"own","level":"info","severity":"fatal"}`:                                        {"own", "", LevelInfo, ""},
		`{"severity":"fatal","level":null,"message":"own"}`:                                          {"own", "", LevelFatal, ""},
		`{"timestamp":"` + at + `","@timestamp":"2020-01-01T00:00:00Z","message":"own"}`:             {"own", "", LevelError, at},
		`{"@timestamp":"2020-01-01T00:00:00Z","timestamp":"` + at + `","message":"own"}`:             {"own", "", LevelError, at},
		`{"message":"","msg":"m","server_name":"","host":"h"}`:                                       {"m", "h", LevelError, ""},
		`{"message":"own","@timestamp":[1],"log":{},"msg":7,"severity":{"a":1},"host":{"name":"h"}}`: {"own", "", LevelError, ""},
		`{"message":"own","@timestamp":null,"log":null,"msg":null,"severity":null,"host":null}`:      {"own", "", LevelError, ""},
		`{"message":"own","severity":"loud"}`:                                                        {"own", "", LevelError, ""},
		`{"exception":{"type":"T","value":"v"},"msg":"m"}`:                                           {"m", "", LevelError, ""},
		`{"exception":{"type":"T","value":"v"},"msg":1}`:                                             {"T: v", "", LevelError, ""},
		`{"\u006dsg":"a\u00e9","\u0040timestamp":"` + at + `","\u0068ost":"\u0068"}`:                 {"aé", "h", LevelError, at},
	} {
		ev := mustDecode(t, raw)
		got := view{message: ev.MessageText(), server: ev.ServerName.String(), level: ev.Level}
		if when, known := ev.Timestamp.Time(); known {
			got.at = when.Format(time.RFC3339Nano)
		}
		assert.Equal(t, want, got, raw)
	}
	mustRefuse(t, `{"log":" "}`, CodeInvalidEvent, "message")
	mustRefuse(t, `{"msg":{}}`, CodeInvalidEvent, "message")
	mustRefuse(t, `{"message":" ","msg":"m"}`, CodeInvalidEvent, "message") // blank is not absent
	mustRefuse(t, `{"msg":"m","level":"loud"}`, CodeInvalidEvent, "level")
	mustRefuse(t, `{"msg":"m","msg":"m"}`, CodeMalformed, "")

	// Nothing of one event reaches the next.
	var d Decoder
	var ev Event
	assert.NoError(t, d.Decode([]byte(`{"msg":"m","@timestamp":"`+at+`","severity":0,"host":"h"}`), &ev))
	assert.NoError(t, d.Decode([]byte(`{"message":"n"}`), &ev))
	assert.False(t, ev.Timestamp.Present())
	assert.Equal(t, LevelError, ev.Level)
	assert.True(t, ev.ServerName.IsZero())

	// A time that is not understood is given all the same: the event says that its time was adjusted.
	ev = *mustDecode(t, `{"message":"own","@timestamp":"yesterday"}`)
	_, understood := ev.Timestamp.Time()
	assert.True(t, ev.Timestamp.Present())
	assert.False(t, understood)
}

// TestSeverityNumbers: 0 to 7 are those of syslog, as number and as string. Any other number is no level.
func TestSeverityNumbers(t *testing.T) {
	for text, want := range map[string]Level{
		"0": LevelFatal, "1": LevelFatal, "2": LevelFatal, "3": LevelError, "4": LevelWarning, "5": LevelInfo, "6": LevelInfo,
		"7": LevelDebug, "8": LevelError, "-1": LevelError, "30": LevelError, "3.0": LevelError, "1e0": LevelError,
	} {
		assert.Equal(t, want, mustDecode(t, withField("severity", text)).Level, text)
		assert.Equal(t, want, mustDecode(t, withField("severity", `"`+text+`"`)).Level, "%q", text)
	}
}
