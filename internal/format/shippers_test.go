package format

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/event"
)

// columns is what an item becomes, one word a column that is not empty.
func shipperColumns(ev *event.Event) string {
	out := []string{ev.Level.String()}
	if at, known := ev.Timestamp.Time(); known {
		out = append(out, at.Format(time.RFC3339Nano))
	} else if ev.Timestamp.Present() {
		out = append(out, "no time")
	}
	for _, c := range []struct {
		name string
		text event.Text
	}{
		{"type", ev.Exception.Type}, {"value", ev.Exception.Value}, {"env", ev.Environment}, {"release", ev.Release},
		{"server", ev.ServerName}, {"transaction", ev.Transaction}, {"trace", ev.TraceID}, {"user", ev.UserID},
		{"email", ev.UserEmail},
	} {
		if !c.text.IsZero() {
			out = append(out, c.name+"="+c.text.String())
		}
	}
	for _, tag := range ev.Tags {
		out = append(out, fmt.Sprintf("#%s=%s", tag.Key, tag.Value))
	}
	return strings.Join(append(out, "| "+ev.MessageText()), " ")
}

func checkColumns(t *testing.T, format string, cases map[string]string) {
	t.Helper()
	d := event.Decoder{Formats: All()}
	var ev event.Event
	for raw, want := range cases {
		require.NoError(t, d.DecodeAs(format, []byte(raw), &ev), raw)
		assert.Equal(t, want, shipperColumns(&ev), raw)
	}
}

// TestElastic: documents of shippers and loggers, with nested names and with dots.
func TestElastic(t *testing.T) {
	const at = "2026-11-28T04:37:10.896Z"
	checkColumns(t, Elastic, map[string]string{
		`{"@timestamp":"` + at + `","message":"m","log":{"level":"WARN","logger":"a.B"},"host":{"hostname":"x","name":"h"},
		  "error":{"type":"T","message":"v","stack_trace":"at"},"service":{"name":"s","version":"1","environment":"prod"},
		  "trace":{"id":"t"},"transaction":{"id":"x","name":"GET /"},"user":{"id":"u","email":"e"},"tags":["a","b"],"labels":{"k":1}}`: "warning " + at + " type=T value=v env=prod release=1 server=h transaction=GET / trace=t user=u email=e " +
			"#a=true #b=true #k=1 #service.name=s #log.logger=a.B | m",
		`{"@timestamp":"` + at + `","message":"m","log.level":"error","host.name":"h","error.type":"T","error.message":"v",
		  "service.version":"1","trace.id":"t","user.id":"u","transaction.name":"n","service.environment":"e","user.email":"x"}`: "error " + at + " type=T value=v env=e release=1 server=h transaction=n trace=t user=u email=x | m",
		`{"log":"a line","@timestamp":1795840630896,"host":"h"}`:        "info 2026-11-28T04:37:10.896Z server=h | a line",
		`{"msg":"m","level":50,"time":1795840630896,"hostname":"h"}`:    "error 2026-11-28T04:37:10.896Z server=h | m",
		`{"msg":"m","severity":3,"ts":1795840630.896}`:                  "error 2026-11-28T04:37:10.896Z | m",
		`{"level":"loud","severity":"NOTICE","short_message":"m"}`:      "info | m",
		`{"error":{"type":"T"}}`:                                        "error type=T | T",
		`{"message":"m","error":"text","user":7,"service":[],"host":1}`: "info server=1 | m",
		`{"n":5,"x":{"message":"inner"}}`:                               `info | {"n":5,"x":{"message":"inner"}}`,
		`{}`:                                                            `info | {}`,
		`{"event":{"original":"the line"},"@timestamp":"yesterday"}`:    "info no time | the line",
		`{"message":null,"msg":"","log":"l","tags":{"a":{"b":1}}}`:      `info #a={"b":1} | l`,
	})
}

// TestSplunk: the outer object goes before the event.
func TestSplunk(t *testing.T) {
	checkColumns(t, Splunk, map[string]string{
		`{"time":1795840630.896,"host":"h","source":"s","sourcetype":"st","index":"i","event":"a line","fields":{"region":"eu","n":[1]}}`: "info 2026-11-28T04:37:10.896Z server=h #source=s #sourcetype=st #index=i #region=eu #n=[1] | a line",
		`{"event":{"message":"m","severity":"warning","time":"2020-01-01T00:00:00Z","host":"inner"},"time":"1795840630.896","host":"h"}`:  "warning 2026-11-28T04:37:10.896Z server=h | m",
		`{"event":{"message":"m","level":"info"},"fields":{"level":"fatal"}}`:                                                             "fatal #level=fatal | m",
		`{"event":{"a":1,"b":"\ud800"}}`:                          "info | {\"a\":1,\"b\":\"\\ufffd\"}",
		`{"event":{"msg":"m","time":"2026-11-28T04:37:10.896Z"}}`: "info 2026-11-28T04:37:10.896Z | m",
		`{"event":17}`:                                   "info | 17",
		`{"event":[1,"a"]}`:                              `info | [1,"a"]`,
		`{"event":false,"time":{}}`:                      "info no time | false",
		`{"event":{"error":{"type":"T","message":"v"}}}`: "error type=T value=v | T: v",
	})
	d := event.Decoder{Formats: All()}
	var ev event.Event
	for raw, reason := range map[string]string{
		`{}`: SplunkEventRequired, `{"event":null}`: SplunkEventRequired, `{"time":1}`: SplunkEventRequired,
		`{"event":""}`: SplunkEventBlank, `{"event":" \n"}`: SplunkEventBlank,
		`[]`: "An item must be a JSON object.", `1`: "An item must be a JSON object.",
	} {
		err := d.DecodeAs(Splunk, []byte(raw), &ev)
		require.EqualError(t, err, reason, raw)
	}
}

// TestLoki: labels and metadata are tags, and a line that is an object is read.
func TestLoki(t *testing.T) {
	checkColumns(t, Loki, map[string]string{
		`{"stream":{"app":"shop","level":"error","host":"h"},"ts":"1795840630896123456","line":"a line","metadata":{"trace_id":"t"}}`:    "error 2026-11-28T04:37:10.896Z server=h trace=t #app=shop #level=error #host=h #trace_id=t | a line",
		`{"stream":{},"ts":"1795840630896000000","line":"{\"msg\":\"m\",\"level\":40,\"time\":1,\"hostname\":\"h\",\"a\":\"\\u00e9\"}"}`: "warning 2026-11-28T04:37:10.896Z server=h | m",
		`{"stream":{"level":"info"},"ts":"1795840630896000000","line":"{\"msg\":\"a\\nb\",\"level\":50}"}`:                               "info 2026-11-28T04:37:10.896Z #level=info | a\nb",
		`{"line":"{\"msg\":\"m\",\"tags\":{\"k\":\"v\"}} and more"}`:                                                                     `info | {"msg":"m","tags":{"k":"v"}} and more`,
		`{"line":"{\"msg\":\"m\",\"msg\":\"n\"}","stream":{"a":"b"}}`:                                                                    `info #a=b | {"msg":"m","msg":"n"}`,
		`{"line":"{\"a\":1}"}`:                `info | {"a":1}`,
		`{"line":"{not json"}`:                `info | {not json`,
		`{"line":""}`:                         `info | `,
		`{"line":null,"stream":[1],"ts":"x"}`: `info no time | `,
		`{"line":7,"ts":1795840630896000000}`: `info 2026-11-28T04:37:10.896Z | 7`,
		`{"stream":{"env":"prod","version":"2","user_id":"u","traceID":"t","nodename":"h"},"line":"l"}`: "info env=prod release=2 server=h trace=t user=u " +
			"#env=prod #version=2 #user_id=u #traceID=t #nodename=h | l",
	})
}

// TestNothingIsLeftOver: an item does not see what an earlier one had.
func TestNothingIsLeftOver(t *testing.T) {
	d := event.Decoder{Formats: All()}
	var ev event.Event
	full := map[string]string{
		Elastic: `{"@timestamp":1,"message":"m","log.level":"error","host":"h","error":{"type":"T"},"tags":["a"],"user":{"id":"u"}}`,
		Splunk:  `{"time":1,"host":"h","event":{"message":"m","error":{"type":"T"},"level":"error"},"fields":{"a":1}}`,
		Loki:    `{"stream":{"a":"b"},"ts":"1","line":"{\"msg\":\"m\",\"level\":\"error\",\"error\":{\"type\":\"T\"}}"}`,
	}
	small := map[string]string{Elastic: `{"message":"n"}`, Splunk: `{"event":"n"}`, Loki: `{"line":"n"}`}
	for name := range full {
		require.NoError(t, d.DecodeAs(name, []byte(full[name]), &ev))
		require.NoError(t, d.DecodeAs(name, []byte(small[name]), &ev))
		assert.Equal(t, "info | n", shipperColumns(&ev), name)
	}
}

// FuzzShippers: whatever an item holds, its reader does not panic, does not write to it, and reads it again alike.
func FuzzShippers(f *testing.F) {
	for _, seed := range []string{
		`{"@timestamp":"2026-11-28T04:37:10.896Z","log":{"level":"x"},"host":{"name":"h"},"tags":["a",1],"error":{}}`,
		`{"time":1.5,"host":"h","event":{"a":[{}]},"fields":{"level":3}}`, `{"event":"\ud800"}`,
		`{"stream":{"a":"b"},"ts":"1","line":"{\"msg\":\"\\ud800\"}","metadata":{}}`, `{"line":"{"}`, `{`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	d, fresh := event.Decoder{Formats: All()}, event.Decoder{Formats: All()}
	var ev, again event.Event
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := string(raw)
		for _, name := range []string{Elastic, Splunk, Loki} {
			err := d.DecodeAs(name, raw, &ev)
			require.Equal(t, err, fresh.DecodeAs(name, []byte(before), &again))
			require.Equal(t, before, string(raw))
			if err != nil {
				continue
			}
			require.Equal(t, shipperColumns(&again), shipperColumns(&ev))
			require.True(t, ev.Level >= event.LevelDebug && ev.Level <= event.LevelFatal)
			require.LessOrEqual(t, len(ev.Tags), event.MaxTags)
			ev.FingerprintHash(nil)
			ev.AppendPayload(nil, raw)
		}
	})
}
