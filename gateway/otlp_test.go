package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"sluice/gateway/body/bodytest"
	"sluice/gateway/broker"
	"sluice/internal/event"
)

const protobufType = "application/x-protobuf"

// otlpLogs returns a request in JSON with n log records.
func otlpLogs(n int) string {
	return otlpJSONOf(func(i int) string { return fmt.Sprintf(`{"body":{"stringValue":"event %d"}}`, i) }, n)
}

func otlpJSONOf(record func(i int) string, n int) string {
	records := make([]string, n)
	for i := range records {
		records[i] = record(i)
	}
	return `{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + strings.Join(records, ",") + `]}]}]}`
}

// otlpMessages returns a request with a log record for each text.
func otlpMessages(texts ...string) *logs.LogsData {
	scope := &logs.ScopeLogs{}
	for _, text := range texts {
		scope.LogRecords = append(scope.LogRecords, &logs.LogRecord{Body: otlpText(text)})
	}
	return &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{ScopeLogs: []*logs.ScopeLogs{scope}}}}
}

func otlpText(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

// otlpProtobuf is the request with messages.
func otlpProtobuf(t testing.TB, of *logs.LogsData) request {
	t.Helper()
	body, err := proto.Marshal(of)
	require.NoError(t, err)
	return request{path: pathOTLPLogs, body: string(body), header: map[string]string{"Content-Type": protobufType}}
}

// otlpBoth returns a request with a log record for each text in both encodings.
func otlpBoth(t testing.TB, texts ...string) map[string]request {
	record := func(i int) string {
		b, _ := json.Marshal(texts[i])
		return `{"body":{"stringValue":` + string(b) + `}}`
	}
	return map[string]request{
		"protobuf": otlpProtobuf(t, otlpMessages(texts...)),
		"json":     {path: pathOTLPLogs, body: otlpJSONOf(record, len(texts))},
	}
}

// otlpAnswer is an answer in either encoding.
type otlpAnswer struct {
	rejected int
	message  string
	code     int // of a refusal
}

// otlp sends a request and reads its answer.
func (s *served) otlp(r request) (reply, otlpAnswer) {
	s.t.Helper()
	got := s.do(r)
	if r.header["Content-Type"] == protobufType {
		require.Equal(s.t, protobufType, got.header.Get("Content-Type"))
		return got, protobufAnswer(s.t, got)
	}
	var body struct {
		Code           int
		Message        string
		PartialSuccess *struct {
			RejectedLogRecords int `json:",string"`
			ErrorMessage       string
		}
	}
	require.Equal(s.t, "application/json", got.header.Get("Content-Type"))
	require.NoError(s.t, json.Unmarshal([]byte(got.text), &body), got.text)
	a := otlpAnswer{message: body.Message, code: body.Code}
	require.Equal(s.t, got.status == 200, body.PartialSuccess != nil)
	if p := body.PartialSuccess; p != nil {
		a.rejected, a.message = p.RejectedLogRecords, p.ErrorMessage
	}
	return got, a
}

// protobufAnswer reads an ExportLogsServiceResponse or a Status, both of which have a number and a text.
func protobufAnswer(t *testing.T, got reply) (a otlpAnswer) {
	t.Helper()
	b := []byte(got.text)
	if got.status == 200 && len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		require.Equal(t, protowire.Number(1), number)
		require.Equal(t, protowire.BytesType, kind)
		b, _ = protowire.ConsumeBytes(b[n:])
	}
	for len(b) > 0 {
		number, _, n := protowire.ConsumeTag(b)
		require.Positive(t, n)
		b = b[n:]
		switch number {
		case 1:
			v, n := protowire.ConsumeVarint(b)
			if b = b[n:]; got.status == 200 {
				a.rejected = int(v)
			} else {
				a.code = int(v)
			}
		case 2:
			v, n := protowire.ConsumeString(b)
			a.message, b = v, b[n:]
		}
	}
	return a
}

// readCapture returns a recorded request of a stock client, with the test's key.
func readCapture(t testing.TB, name string) request {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "captures", name))
	require.NoError(t, err)
	var c struct {
		Request struct {
			Target  string      `json:"target"`
			Headers [][2]string `json:"headers"`
			Framing string      `json:"framing"`
		} `json:"request"`
		Body string `json:"body_base64"`
	}
	require.NoError(t, json.Unmarshal(text, &c))
	body, err := base64.StdEncoding.DecodeString(c.Body)
	require.NoError(t, err)
	r := request{
		path:    c.Request.Target,
		body:    string(body),
		header:  map[string]string{},
		chunked: c.Request.Framing == "chunked",
	}
	for _, h := range c.Request.Headers {
		switch h[0] {
		case "Host", "Content-Length", "Transfer-Encoding", "Connection", "Authorization":
		default:
			r.header[h[0]] = h[1]
		}
	}
	return r
}

// TestOTLPCaptures: the requests of stock clients are answered as these want, and a request sent again has the same
// ids and bytes.
func TestOTLPCaptures(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		answer  string
		records int
	}{
		"otlp-go-00-v1_logs.json":        {"", 5},
		"otlp-node-json-00-v1_logs.json": {`{"partialSuccess":{}}`, 6},
	} {
		s := serve(t)
		r := readCapture(t, name)
		for range 2 {
			got := s.do(r)
			assert.Equal(t, 200, got.status, got.text)
			assert.Equal(t, want.answer, got.text)
			assert.Equal(t, r.header["Content-Type"], got.header.Get("Content-Type"))
		}
		stored := s.producer.Stored()
		require.Len(t, stored, 2*want.records)
		ids := map[string]string{}
		for _, r := range stored {
			var ev event.Event
			envelope, err := event.DecodeRecord(&event.Decoder{Formats: formats}, r.Value, r.Headers, 1<<20, &ev)
			require.NoError(t, err)
			assert.Equal(t, "otlp", envelope.Format)
			id := envelope.ID.String()
			if ids[id] != "" {
				assert.Equal(t, ids[id], string(r.Value))
			}
			ids[id] = string(r.Value)
		}
		assert.Len(t, ids, want.records)
	}
}

// TestOTLPKeepsTheClientsBytes: of a request in JSON the parts of an event are the client's own bytes.
func TestOTLPKeepsTheClientsBytes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	got := s.do(request{path: pathOTLPLogs, body: `{ "new": [1], "resourceLogs": [
		{"scopeLogs": [{"logRecords": [{ "a" : 1 }, {"traceId":"0AF7"}], "schemaUrl":"s", "scope": {"name":"\u0061"}}],
		 "x": {"deep":[{}]}, "schemaUrl" : "r" , "resource": { "attributes" :[ ] }},
		{"resource": null, "scopeLogs": [{"scope":null,"schemaUrl":null,"logRecords":[{}]}, {"logRecords":null}, {}]},
		{"scopeLogs": null}, {}
	]}`})
	require.Equal(t, 200, got.status, got.text)
	around := `{"resource":{ "attributes" :[ ] },"resourceSchemaUrl":"r","scope":{"name":"\u0061"},"scopeSchemaUrl":"s","logRecord":`
	assert.Equal(
		t,
		[]string{around + `{ "a" : 1 }}`, around + `{"traceId":"0AF7"}}`, `{"logRecord":{}}`},
		s.producer.Values(),
	)
}

// TestOTLPMalformed: a request whose structure is broken is refused whole, and nothing of it is kept.
func TestOTLPMalformed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, body := range []string{
		``, ` `, `{`, `[]`, `null`, `"x"`, `7`, `x`, `{}x`, `{"resourceLogs":{}}`, `{"resourceLogs":[1]}`, `{"resourceLogs":[null]}`,
		`{"resourceLogs":[{"scopeLogs":7}]}`, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}`,
		`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{},]}]}]}`, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[[]]}]}]}`,
		`{"resourceLogs":[],"resourceLogs":[]}`, `{"resourceLogs":[],"resource\u004cogs":[]}`,
		`{"resourceLogs":[{"resource":{},"resource":{}}]}`, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{]}}]}]}`,
		otlpLogs(2) + otlpLogs(2), `{"x":` + strings.Repeat("[", 100_000) + `}`,
	} {
		got, a := s.otlp(request{path: pathOTLPLogs, body: body})
		assert.Equal(t, 400, got.status, "%.80s: %s", body, got.text)
		assert.Equal(t, 3, a.code)
	}
	whole := otlpProtobuf(t, otlpMessages("a", "b"))
	for _, body := range []string{whole.body[:len(whole.body)-1], "\x0a", "{}", "\x00", whole.body + "\x0c", "\x0b"} {
		whole.body = body
		got, a := s.otlp(whole)
		assert.Equal(t, 400, got.status, "%q", body)
		assert.Contains(t, a.message, "protobuf")
	}
	assert.Empty(t, s.producer.Stored())
}

// TestOTLPOneBadRecord: a bad record is rejected alone.
func TestOTLPOneBadRecord(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes = 2000 })
	for bad, why := range map[string]string{
		`{"body":{"stringValue":"` + "\xff" + `"}}`: "UTF-8", `{"a":1,"a":2}`: "twice", `{"a":tru}`: "JSON", `{"a":01}`: "JSON",
		`{"a":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`: "deep",
		`{"a":"` + strings.Repeat("a", 2000) + `"}`:                       "max_event_bytes, which is 2000 bytes",
	} {
		record := func(i int) string { return []string{`{"good":1}`, bad, `{"good":2}`}[i] }
		got, a := s.otlp(request{path: pathOTLPLogs, body: otlpJSONOf(record, 3)})
		assert.Equal(t, 200, got.status, got.text)
		assert.Equal(t, 1, a.rejected)
		assert.Contains(t, a.message, why)
		got, a = s.otlp(request{path: pathOTLPLogs, body: otlpJSONOf(func(int) string { return bad }, 3)})
		assert.Equal(t, 400, got.status, "nothing is left: %s", got.text)
		assert.Contains(t, a.message, why)
	}
	good := `{"logRecord":{"a":` + strings.Repeat("[", 62) + strings.Repeat("]", 62) + `}}`
	got := s.do(
		request{
			path: pathOTLPLogs,
			body: `{"resourceLogs":[{"scopeLogs":[{"logRecords":[` + good[len(`{"logRecord":`):len(good)-1] + `]}]}]}`,
		},
	)
	assert.Equal(t, 200, got.status, got.text)
	assert.Contains(t, s.producer.Values(), good, "64 levels")

	deep := otlpText("x")
	for range 30 {
		deep = &common.AnyValue{
			Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: []*common.AnyValue{deep}}},
		}
	}
	of := otlpMessages("a", "", "b")
	for body, why := range map[*common.AnyValue]string{deep: "deep", otlpText(strings.Repeat("a", 2000)): "max_event_bytes"} {
		of.ResourceLogs[0].ScopeLogs[0].LogRecords[1].Body = body
		got, a := s.otlp(otlpProtobuf(t, of))
		assert.Equal(t, 200, got.status)
		assert.Equal(t, 1, a.rejected)
		assert.Contains(t, a.message, why)
	}
}

// TestOTLPRefusals: a refusal is a Status in the encoding of the request.
func TestOTLPRefusals(t *testing.T) {
	t.Parallel()
	s := serve(
		t,
		func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes = 2000, 2000 },
		withProjects(t, limited(1000, "60s")+"    origins: [\""+shop+"\"]\n"),
	)
	for encoding, r := range otlpBoth(t, "a") {
		for name, c := range map[string]struct {
			edit         func(*request)
			status, code int
		}{
			"no key":       {func(r *request) { r.noKey = true }, 401, 16},
			"unknown key":  {func(r *request) { r.noKey = true; r.header["X-API-Key"] = "other" }, 401, 16},
			"two keys":     {func(r *request) { r.header["X-API-Key"] = "other" }, 400, 3},
			"other origin": {func(r *request) { r.header["Origin"] = evil }, 403, 7},
			"too large":    {func(r *request) { r.body += strings.Repeat(" ", 2000) }, 413, 3},
			"bad gzip":     {func(r *request) { r.header["Content-Encoding"] = "gzip" }, 400, 3},
			"encoding":     {func(r *request) { r.header["Content-Encoding"] = "lzma" }, 415, 3},
		} {
			r := r
			header := map[string]string{}
			for k, v := range r.header {
				header[k] = v
			}
			r.header = header
			c.edit(&r)
			got, a := s.otlp(r)
			assert.Equal(t, c.status, got.status, "%s %s", encoding, name)
			assert.Equal(t, c.code, a.code, "%s %s", encoding, name)
			assert.NotEmpty(t, a.message)
		}
	}
	for media, status := range map[string]int{
		"": 200, "application/json": 200, "application/json; charset=utf-8": 200, "application/json; charset=utf-16": 415,
		"text/plain": 415, "application/protobuf": 415, "application/x-ndjson": 415, "x": 415,
	} {
		got := s.do(request{path: pathOTLPLogs, body: "{}", header: map[string]string{"Content-Type": media}})
		assert.Equal(t, status, got.status, media)
	}
	got := s.do(request{path: pathOTLPLogs, header: map[string]string{"Content-Type": "Application/X-Protobuf; a=b"}})
	assert.Equal(t, 200, got.status, "an empty request")
	got = s.do(
		from(shop, request{method: http.MethodOptions, path: pathOTLPLogs, noKey: true, header: map[string]string{
			"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type",
		}}),
	)
	assert.Equal(t, 204, got.status)
	assert.Contains(t, got.header.Get("Access-Control-Allow-Headers"), "Authorization, Content-Type")
}

// TestOTLPKeys: the key may be in any header.
func TestOTLPKeys(t *testing.T) {
	t.Parallel()
	s := serve(t)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("otel:"+testKey))
	for name, value := range map[string]string{"Authorization": basic, "X-API-Key": testKey, "X-Sentry-Auth": testKey, "authorization": "ApiKey " + testKey} {
		for _, r := range otlpBoth(t, "a") {
			header := map[string]string{name: value}
			for k, v := range r.header {
				header[k] = v
			}
			r.header, r.noKey = header, true
			got, _ := s.otlp(r)
			assert.Equal(t, 200, got.status, name)
		}
	}
}

// TestOTLPWhileKafkaIsAway: whatever may be sent again is answered 503 with Retry-After, also what our own clients get
// as 500. Sent again it has the same ids.
func TestOTLPWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{broker.ErrRefused, errors.New("broker down")} {
		s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = time.Second })
		for encoding, r := range otlpBoth(t, "a", "b") {
			s.producer.Failing(func() (bool, error) { return true, failure })
			got, a := s.otlp(r)
			require.Equal(t, 503, got.status, "%s %v", encoding, failure)
			assert.Equal(t, 14, a.code)
			assert.NotEmpty(t, got.header.Get("Retry-After"))
			s.producer.Failing(nil)
			waitUntil(t, func() bool { got, _ := s.otlp(r); return got.status == 200 })
		}
		assert.Len(t, s.producer.Values(), 2, "both encodings make the same JSON here, and a request sent again too")
	}
}

// TestOTLPEncodings: every content encoding.
func TestOTLPEncodings(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, r := range otlpBoth(t, strings.Repeat("compress me ", 100)) {
		plain := r.body
		for _, name := range bodytest.Names {
			r.body = bodytest.Compress(name, plain)
			header := map[string]string{"Content-Encoding": bodytest.Encoding(name)}
			for k, v := range r.header {
				header[k] = v
			}
			got, a := s.otlp(request{path: r.path, body: r.body, header: header})
			assert.Equal(t, 200, got.status, name)
			assert.Zero(t, a.rejected)
		}
	}
	assert.Len(t, s.producer.Values(), 1, "both encodings make the same JSON here")
}

// TestOTLPRateLimit: a request that fits later is refused whole and nothing is charged, so it passes when it comes
// again. Of a request that never fits, what fits is kept and the rest is rejected for good.
func TestOTLPRateLimit(t *testing.T) {
	t.Parallel()
	texts := strings.Split(strings.Repeat("x", 6), "")
	for encoding, whole := range otlpBoth(t, texts[:3]...) {
		s := serve(t, withProjects(t, limited(5, "60s")))
		got, _ := s.otlp(whole)
		require.Equal(t, 200, got.status)
		assert.Equal(t, `"events";r=2;t=36`, got.header.Get("RateLimit"))
		got, a := s.otlp(whole)
		require.Equal(t, 429, got.status, encoding)
		assert.Equal(t, 8, a.code)
		assert.Equal(t, "60", got.header.Get("Retry-After"))
		assert.Len(t, s.producer.Stored(), 3)
		got, _ = s.otlp(otlpBoth(t, texts[:2]...)[encoding])
		assert.Equal(t, 200, got.status, "what is left was not charged")
		got, _ = s.otlp(otlpBoth(t, texts...)[encoding])
		assert.Equal(t, 429, got.status, "nothing is left")
		s.clock.advance(time.Minute)
		got, a = s.otlp(otlpBoth(t, texts...)[encoding])
		require.Equal(t, 200, got.status)
		assert.Equal(t, 1, a.rejected)
		assert.Contains(t, a.message, "rate limit")
		assert.Len(t, s.producer.Stored(), 3+2+5)
		assert.InDelta(t, 3+2+5, s.counter("sluice_gateway_events_accepted_total", "otlp"), 0)
		assert.InDelta(t, 3+1+1, s.counter("sluice_gateway_events_rejected_total", "rate_limited"), 0)
	}
}

// manyResources returns a request of n records that share a resource of that many bytes.
func manyRecords(n, resourceBytes int) *logs.LogsData {
	of := otlpMessages(make([]string, n)...)
	of.ResourceLogs[0].Resource = &resource.Resource{
		Attributes: []*common.KeyValue{{Key: "k", Value: otlpText(strings.Repeat("r", resourceBytes))}},
	}
	return of
}
