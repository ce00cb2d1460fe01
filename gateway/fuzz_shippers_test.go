//go:build unix

package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/valyala/fasthttp"
)

// FuzzHEC sends bodies to Splunk's HTTP Event Collector. What another strict reader takes for events is kept whole; all
// else has an answer of the collector, and memory stays flat.
func FuzzHEC(f *testing.F) {
	for _, seed := range []string{
		`{"event":"a"}{"event":"b"}`, "{\"event\":\"a\"}\n\n{\"event\":{\"message\":\"b\"},\"time\":1.5}\r\n", `[{"event":1},{"event":[]}]`,
		`{"event":""}`, `{}`, `{"event":null}`, `[`, `[]`, `{"event":"a"`, `{"event":"a"}}`, `{"event":"a"},{"event":"b"}`, "\x00", "\ufeff{}",
		`{"event":"\ud800"}`, `{"event":{"a":1,"a":2}}`, `{"event":"x","events":[{"event":"y"}]}`, `{"event":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`,
		`{"time":"x","host":1,"source":[],"event":{"level":50},"fields":{"a":{"b":1}}}`, "", " ", "line\nline", "a\u2028b", "\xff\xfe",
	} {
		f.Add([]byte(seed))
	}
	handler := handlerOf(f)
	var ctx fasthttp.RequestCtx
	ctx.Init2(quietConn{}, nil, false)
	runs, least := 0, uint64(0)
	f.Fuzz(func(t *testing.T, body []byte) {
		status, answer := 0, splunkReply{}
		for _, path := range []string{pathSplunkRaw, pathSplunk} {
			ctx.Request.Reset()
			ctx.Response.Reset()
			ctx.ResetUserValues()
			ctx.Request.SetRequestURI(path)
			ctx.Request.Header.Set("Authorization", "Splunk "+testKey)
			ctx.Request.Header.SetMethod(fasthttp.MethodPost)
			ctx.Request.SetBodyStream(bytes.NewReader(body), len(body))
			handler(&ctx)
			status, answer = ctx.Response.StatusCode(), splunkReply{}
			if err := json.Unmarshal(ctx.Response.Body(), &answer); err != nil {
				t.Fatalf("%s %q: %d %s", path, body, status, ctx.Response.Body())
			}
			if (status == 200) != (answer.Code == 0) || status != 200 && status != 400 && status != 413 {
				t.Fatalf("%s %q: %d %+v", path, body, status, answer)
			}
		}
		if want, sure := referenceHEC(body); sure && want != (status == 200) {
			t.Fatalf("%q: %d %+v", body, status, answer)
		}
		if runs++; runs%20_000 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			if least == 0 {
				least = m.HeapAlloc
			}
			if m.HeapAlloc > least+64<<20 {
				t.Fatalf("the heap grew from %d to %d bytes", least, m.HeapAlloc)
			}
		}
	})
}

type splunkReply struct {
	Text    string `json:"text"`
	Code    int    `json:"code"`
	Invalid *int   `json:"invalid-event-number"`
}

// referenceHEC reads a body with another strict reader: whether it holds events and nothing else. sure is false where
// the two readers have different rules: depth, lone surrogates, arrays around events.
func referenceHEC(body []byte) (good, sure bool) {
	if bytes.Contains(body, []byte(`\u`)) || bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) > 60 ||
		bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		return false, false
	}
	d := jsontext.NewDecoder(bytes.NewReader(body))
	for n := 0; ; n++ {
		value, err := d.ReadValue()
		switch {
		case errors.Is(err, io.EOF):
			return n > 0, true
		case err != nil:
			return false, true
		}
		var outer map[string]jsontext.Value
		if json.Unmarshal(value, &outer) != nil || outer == nil {
			return false, true
		}
		event := strings.TrimSpace(string(outer["event"]))
		if text, err := strconv.Unquote(event); err == nil {
			event = strings.TrimSpace(text)
		}
		if event == "" || event == "null" {
			return false, true
		}
	}
}
