package format_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/event"
	"sluice/internal/format"
)

// readOTLP reads an item of OTLP.
func readOTLP(t *testing.T, item string) (ev event.Event) {
	t.Helper()
	d := event.Decoder{Formats: format.All()}
	require.NoError(t, d.DecodeAs(format.OTLP, []byte(item), &ev), item)
	return ev
}

func readRecord(t *testing.T, record string) event.Event {
	t.Helper()
	return readOTLP(t, `{"logRecord":{`+record+`}}`)
}

func tagsOf(ev *event.Event) map[string]string {
	tags := map[string]string{}
	for _, tag := range ev.Tags {
		tags[tag.Key.String()] = tag.Value.String()
	}
	return tags
}

func TestOTLPLevel(t *testing.T) {
	t.Parallel()
	want := map[int]event.Level{-1: event.LevelInfo, 0: event.LevelInfo, 25: event.LevelInfo, 2147483647: event.LevelInfo}
	for n := 1; n <= 24; n++ {
		level := []event.Level{event.LevelDebug, event.LevelDebug, event.LevelInfo, event.LevelWarning, event.LevelError, event.LevelFatal}
		want[n] = level[(n-1)/4]
	}
	for n, level := range want {
		ev := readRecord(t, fmt.Sprintf(`"severityNumber":%d`, n))
		assert.Equal(t, level, ev.Level, "%d", n)
		ev = readRecord(t, fmt.Sprintf(`"severityNumber":"%d"`, n))
		assert.Equal(t, level, ev.Level, "%d as a string", n)
	}
	for record, level := range map[string]event.Level{
		``:                      event.LevelInfo,
		`"severityText":"WARN"`: event.LevelWarning,
		`"severityText":"crit","severityNumber":0`:  event.LevelFatal,
		`"severityText":"loud"`:                     event.LevelInfo,
		`"severityText":"ERROR","severityNumber":9`: event.LevelInfo,
		`"severityNumber":"SEVERITY_NUMBER_ERROR"`:  event.LevelError,
		`"severityNumber":"SEVERITY_NUMBER_WARN4"`:  event.LevelWarning,
		`"severityNumber":"SEVERITY_NUMBER_LOUD"`:   event.LevelInfo,
		`"severityNumber":[9],"severityText":{}`:    event.LevelInfo,
	} {
		ev := readRecord(t, record)
		assert.Equal(t, level, ev.Level, record)
	}
}

func TestOTLPTime(t *testing.T) {
	t.Parallel()
	for record, want := range map[string]string{
		``:                                     "",
		`"timeUnixNano":"1795839551749123456"`: "2026-11-28T04:19:11.749Z",
		`"timeUnixNano":1795839551749123456`:   "2026-11-28T04:19:11.749Z",
		`"observedTimeUnixNano":"1000000000","timeUnixNano":"0"`:              "1970-01-01T00:00:01Z",
		`"observedTimeUnixNano":"1000000000"`:                                 "1970-01-01T00:00:01Z",
		`"observedTimeUnixNano":"1000000000","timeUnixNano":"x"`:              "1970-01-01T00:00:01Z",
		`"observedTimeUnixNano":"1000000000","timeUnixNano":"2000000000"`:     "1970-01-01T00:00:02Z",
		`"timeUnixNano":"18446744073709551615"`:                               "?",
		`"timeUnixNano":"soon"`:                                               "?",
		`"timeUnixNano":"` + strings.Repeat("1", 1000) + `"`:                  "?",
		`"timeUnixNano":null,"observedTimeUnixNano":[1]`:                      "",
		`"timeUnixNano":"","observedTimeUnixNano":"0"`:                        "",
		`"timeUnixNano":"18446744073709551615","observedTimeUnixNano":"junk"`: "?",
	} {
		ev := readRecord(t, record)
		at, understood := ev.Timestamp.Time()
		got := at.Format("2006-01-02T15:04:05.999Z07:00")
		if !understood {
			got = map[bool]string{true: "?", false: ""}[ev.Timestamp.Present()]
		}
		assert.Equal(t, want, got, record)
	}
}

func TestOTLPMessage(t *testing.T) {
	t.Parallel()
	failure := `"attributes":[{"key":"exception.type","value":{"stringValue":"E"}},{"key":"exception.message","value":{"stringValue":"bad"}}]`
	for record, want := range map[string]string{
		``:                                       "",
		`"body":{"stringValue":"a\u00e9\ud800"}`: "aé�",
		`"body":{"stringValue":"a"},"eventName":"e"`:     "a",
		`"eventName":"e","body":{}`:                      "e",
		`"eventName":"e","body":{"stringValue":" "}`:     "e",
		`"eventName":"e","body":null`:                    "e",
		`"eventName":"e","body":"x"`:                     "e",
		`"body":{},` + failure:                           "E: bad",
		`"eventName":"e",` + failure:                     "e",
		`"body":{"intValue":"-5"}`:                       "-5",
		`"body":{"intValue":5}`:                          "5",
		`"body":{"doubleValue":1.50}`:                    "1.50",
		`"body":{"boolValue":false}`:                     "false",
		`"body":{"bytesValue":"AQL/"}`:                   "AQL/",
		`"body":{"newValue":1,"stringValue":"x"}`:        "x",
		`"body":{"arrayValue":{}}`:                       "[]",
		`"body":{"arrayValue":null}`:                     "[]",
		`"body":{"arrayValue":{"values":{}}}`:            "[]",
		`"body":{"kvlistValue":{"values":[]}}`:           "{}",
		`"body":{"kvlistValue":{"values":[1,{},null]}}`:  `{"":null,"":null,"":null}`,
		`"body":{"arrayValue":{"values":[1,{},"x",[]]}}`: `[null,null,null,null]`,
		`"body":{"arrayValue":{"values":[{"intValue":"1"},{"intValue":"-0"},{"intValue":"01"},{"intValue":"1e5"},` +
			`{"intValue":"9223372036854775808"},{"intValue":""},{"intValue":"-"},{"doubleValue":"NaN"}]}}`: `[1,-0,"01","1e5",9223372036854775808,"","-","NaN"]`,
		`"body":{"kvlistValue":{"values":[{"value":{"arrayValue":{"values":[{"stringValue":"\ud800\n"}]}},"key":"a\"b"},` +
			`{"key":"c","x":1,"value":{"kvlistValue":{"values":[{"key":"d","value":{"boolValue":true}}]}}},{"key":7}]}}`: `{"a\"b":["\ufffd\n"],"c":{"d":true},"":null}`,
	} {
		ev := readRecord(t, record)
		assert.Equal(t, want, ev.MessageText(), record)
	}
}

// TestOTLPFields: what of a resource, a scope and a record has a column.
func TestOTLPFields(t *testing.T) {
	t.Parallel()
	pair := func(key, value string) string { return `{"key":"` + key + `","value":{"stringValue":"` + value + `"}}` }
	resource := func(pairs ...string) string { return `"resource":{"attributes":[` + strings.Join(pairs, ",") + `]}` }
	ev := readOTLP(t, `{`+resource(
		pair("service.name", "shop"), pair("service.version", "1.2"), pair("deployment.environment", "old"),
		pair("deployment.environment.name", "prod"), pair("host.name", "web-1"), pair("telemetry.sdk.name", "opentelemetry"),
		pair("telemetry.sdk.version", "1.9"), pair("telemetry.sdk.language", "go"), pair("service.name", "second"))+
		`,"resourceSchemaUrl":"x","scope":{"name":"shop.pay","version":"0.1","attributes":[`+pair("hidden", "1")+`]},"logRecord":{
			"traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"b7ad6b7169203331","flags":1,"attributes":[`+strings.Join([]string{
		pair("user.id", "7"), pair("user.email", "a@b"), pair("exception.type", "E"), pair("exception.message", "m"),
		pair("exception.stacktrace", "at x"), pair("user\\u002eid", "8"), pair("", "no key"), `{"key":"n","value":{"intValue":"5"}}`, `7`,
	}, ",")+`]}}`)
	assert.Equal(t, "1.2", ev.Release.String())
	assert.Equal(t, "prod", ev.Environment.String())
	assert.Equal(t, "web-1", ev.ServerName.String())
	assert.Equal(t, "opentelemetry 1.9", ev.SDK.Name.String()+" "+ev.SDK.Version.String())
	assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", ev.TraceID.String())
	assert.Equal(t, "7 a@b", ev.UserID.String()+" "+ev.UserEmail.String())
	assert.Equal(t, "E m", ev.Exception.Type.String()+" "+ev.Exception.Value.String())
	assert.Equal(t, map[string]string{
		"service.name": "shop", "otel.scope.name": "shop.pay", "user.id": "7", "user.email": "a@b",
		"exception.type": "E", "exception.message": "m", "n": "5",
	}, tagsOf(&ev))
	assert.False(t, ev.HasID)
	assert.Empty(t, ev.Frames)

	ev = readOTLP(t, `{`+resource(pair("deployment.environment", "old"))+`,"scope":{"name":"shop.pay","version":"0.1"},"logRecord":{"traceId":"00000000000000000000000000000000"}}`)
	assert.Equal(t, "shop.pay 0.1", ev.SDK.Name.String()+" "+ev.SDK.Version.String())
	assert.Equal(t, "old", ev.Environment.String())
	assert.Empty(t, ev.TraceID.String())

	for _, odd := range []string{
		`{}`, `{"resource":1,"scope":[],"logRecord":"x"}`, `{"resource":{"attributes":{}},"scope":{"name":[1]},"logRecord":{"attributes":[1,null,{"key":{},"value":[]}]}}`,
	} {
		ev = readOTLP(t, odd)
		assert.Equal(t, event.LevelInfo, ev.Level)
		assert.Empty(t, ev.MessageText())
	}
}

// TestOTLPMany: the reader keeps the first tags, in time and memory linear in the item, and keeps no memory of a large one.
func TestOTLPMany(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&many, `,{"key":"k%d","value":{"arrayValue":{"values":[{"intValue":%d}]}}}`, i, i)
	}
	ev := readRecord(t, `"attributes":[`+many.String()[1:]+`]`)
	assert.Len(t, ev.Tags, event.MaxTags)
	assert.Equal(t, "[255]", ev.Tags[255].Value.String())
	deep := strings.Repeat(`{"arrayValue":{"values":[`, 20) + strings.Repeat(`]}}`, 20)
	ev = readRecord(t, `"body":`+deep)
	assert.Equal(t, strings.Repeat("[", 20)+strings.Repeat("]", 20), ev.MessageText())
	var d event.Decoder
	d.Formats = format.All()
	err := d.DecodeAs(format.OTLP, []byte(`{"logRecord":{"body":`+strings.Repeat(`{"arrayValue":{"values":[`, 21)+strings.Repeat(`]}}`, 21)+`}}`), &ev)
	assert.ErrorContains(t, err, "deep")
}
