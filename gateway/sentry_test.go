package gateway

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/body/bodytest"
	"sluice/gateway/projects"
	"sluice/internal/recordbatch/batchtest"
)

const (
	pathEnvelope = "/api/42/envelope/"
	pathStore    = "/api/42/store/"
)

// sentryEnvelope returns an envelope of n events without ids.
func sentryEnvelope(n int) string {
	var b strings.Builder
	b.WriteString("{}\n")
	for i := range n {
		fmt.Fprintf(&b, "{\"type\":\"event\"}\n{\"message\":\"event %d\"}\n", i)
	}
	return b.String()
}

// sentryLogs returns an envelope with n logs in one item.
func sentryLogs(n int) string {
	entries := make([]string, n)
	for i := range entries {
		entries[i] = fmt.Sprintf(`{"body":"log %d","level":"info"}`, i)
	}
	return "{}\n{\"type\":\"log\"}\n{\"items\":[" + strings.Join(entries, ",") + "]}"
}

// lines joins lines.
func lines(all ...string) string { return strings.Join(all, "\n") }

// envelope sends an envelope.
func (s *served) envelope(body string) reply {
	s.t.Helper()
	return s.do(request{path: pathEnvelope, body: body})
}

// headerOf returns a header of a record.
func headerOf(r batchtest.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// sentryCapture is a recorded request.
type sentryCapture struct {
	Request struct {
		Target  string
		Headers [][2]string
		Framing string
	}
	BodyBase64 string `json:"body_base64"`
}

// captured reads a recorded request: as it was sent, and its body without encoding.
func captured(t *testing.T, file string) (r request, plain string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var c sentryCapture
	require.NoError(t, json.Unmarshal(text, &c))
	body, err := base64.StdEncoding.DecodeString(c.BodyBase64)
	require.NoError(t, err)
	r = request{
		path: c.Request.Target, body: string(body), noKey: true, header: map[string]string{},
		chunked: c.Request.Framing == "chunked",
	}
	for _, h := range c.Request.Headers {
		if h[0] != "Host" && h[0] != "Content-Length" && h[0] != "Connection" {
			r.header[h[0]] = h[1]
		}
	}
	if r.header["Content-Encoding"] != "gzip" {
		return r, r.body
	}
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	require.NoError(t, err)
	body, err = io.ReadAll(unzip)
	require.NoError(t, err)
	return r, string(body)
}

var sentAtIn = regexp.MustCompile(`"sent_at":"[^"]*"`)

// TestSentryCaptures: requests of stock clients are answered as the clients want, their events become records of the
// format, and the same request with a fresh sent_at has the same ids.
func TestSentryCaptures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/captures/sentry-*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	events := map[string]int{"session": 0, "browser-09-log": 1, "go-06-log": 2, "python-gzip-08-log": 3}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(_ *Config, d *Deps) {
				d.Projects = projects.One("demo", "0123456789abcdef0123456789abcdef")
			})
			r, plain := captured(t, file)
			want := 1
			for name, n := range events {
				if strings.Contains(file, name) {
					want = n
				}
			}
			var ids []string
			for i := range 2 {
				got := s.do(r)
				require.Equal(t, http.StatusOK, got.status, got.text)
				assert.Regexp(t, `^\{"id":"[0-9a-f]{32}"\}$`, got.text)
				stored := s.producer.Stored()
				require.Len(t, stored, (i+1)*want)
				for j, record := range stored[i*want:] {
					assert.Equal(t, "sentry", headerOf(record, "format"))
					assert.Contains(t, plain, string(record.Value))
					id := headerOf(record, "event-id")
					if j == 0 {
						assert.Equal(t, `{"id":"`+strings.ReplaceAll(id, "-", "")+`"}`, got.text)
					}
					if i == 0 {
						ids = append(ids, id)
					} else {
						assert.Equal(t, ids[j], id)
					}
				}
				r.body = sentAtIn.ReplaceAllString(plain, `"sent_at":"2027-01-02T03:04:05Z"`)
				delete(r.header, "Content-Encoding")
			}
			for i, id := range ids {
				assert.NotContains(t, ids[i+1:], id)
			}
		})
	}
}

// TestSentryKeeps: what an envelope may hold, which events come of it, and what is counted.
func TestSentryKeeps(t *testing.T) {
	t.Parallel()
	const id = "efad4c3f4770472a90f5039ee5f1184e"
	const own, event, log, span = `{"event_id":"` + id + `"}`, `{"type":"event"}`, `{"type":"log"}`, `{"type":"span"}`
	for name, c := range map[string]struct {
		body    string
		values  []string
		ignored map[string]float64
		id      string // of the answer, if it is known
		refused int
	}{
		"an id in the header": {
			body: lines(own, event, `{"message":"a"}`), id: id, values: []string{`{"message":"a"}`},
		},
		"its own id wins": {
			body: lines(`{"event_id":"11111111111111111111111111111111"}`, event, own), id: id, values: []string{own},
		},
		"an id is for one event": {
			body: lines(own, event, `{"a":1}`, event, `{"a":2}`, ""), id: id, values: []string{`{"a":1}`, `{"a":2}`},
		},
		"equal logs": {
			body:   lines("{}", log, `{"items":[{"body":"a"},{"body":"a"}]}`),
			values: []string{`{"body":"a"}`, `{"body":"a"}`},
		},
		"one log, a list, spans": {
			body: lines("{}", log, `{"body":"a"}`, log, `[{"body":"b"}]`,
				span, `{"version":2,"items":[ {"span_id":"1"} , {"span_id":"2"} ],"x":{}}`),
			values: []string{`{"body":"a"}`, `{"body":"b"}`, `{"span_id":"1"}`, `{"span_id":"2"}`},
		},
		"all that is ignored": {
			body: lines(own, `{"type":"session"}`, "{}", `{"type":"check_in"}`, "{}", `{"type":"made_up"}`, "{}",
				`{"type":"session"}`, "{}", `{"type":""}`, "{}", "[]", "{}", ""),
			ignored: map[string]float64{"session": 2, "check_in": 1, "other": 1, "malformed": 2}, id: id,
		},
		"an attachment with line breaks": {
			body: lines("{}", `{"type":"attachment","length":40}`, event, `{"message":"hidden!!!"}`,
				event, `{"message":"a"}`),
			values: []string{`{"message":"a"}`}, ignored: map[string]float64{"attachment": 1},
		},
		"an attachment larger than an event": {
			body: lines("{}", event, `{"message":"a"}`,
				`{"type":"attachment","length":2000000}`, strings.Repeat("\n", 2_000_000), event, `{"message":"b"}`),
			values: []string{`{"message":"a"}`, `{"message":"b"}`}, ignored: map[string]float64{"attachment": 1},
		},
		"one bad among good": {
			body: lines("{}", event, `{"message":}`, event, `{"message":"a"}`,
				log, `{"items":[{"body":"`+"\xff"+`"},{"body":"b"},7,{"body":"c"}`),
			values: []string{`{"message":"a"}`, `{"body":"b"}`, `{"body":"c"}`}, refused: 4,
		},
		"a malformed header": {
			body: lines(`{"event_id":`, event, `{"message":"a"}`), values: []string{`{"message":"a"}`},
		},
		"CRLF and empty lines": {
			body: lines("{}\r", "\r", `{"type":"event","length":15}`+"\r", `{"message":"a"}`+"\r", "\r", "",
				event+"\r", `{"message":"b"}`+"\r", "", ""),
			values: []string{`{"message":"a"}`, `{"message":"b"}`},
		},
		"a wrong length": {
			body: lines("{}", `{"type":"event","length":3}`, `{"message":"a"}`,
				`{"type":"event","length":9999}`, `{"message":"b"}`, `{"type":"event","length":"15"}`, `{"message":"c"}`,
				`{"type":"event","length":-1}`, `{"message":"d"}`),
			values: []string{`{"message":"a"}`, `{"message":"b"}`, `{"message":"c"}`, `{"message":"d"}`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			got := s.envelope(c.body)
			require.Equal(t, http.StatusOK, got.status, got.text)
			assert.Empty(t, got.header.Get("X-Sentry-Rate-Limits"))
			if c.id != "" {
				assert.Equal(t, `{"id":"`+c.id+`"}`, got.text)
			}
			var values []string
			for _, record := range s.producer.Stored() {
				values = append(values, string(record.Value))
			}
			assert.ElementsMatch(t, c.values, values)
			for item, n := range c.ignored {
				assert.InDelta(t, n, s.counter("sluice_gateway_items_ignored_total", item), 0, item)
			}
			sum := 0.0
			for _, n := range c.ignored {
				sum += n
			}
			assert.InDelta(t, sum, s.counter("sluice_gateway_items_ignored_total", ""), 0)
			assert.InDelta(t, c.refused, s.counter("sluice_gateway_events_rejected_total", ""), 0)
			assert.InDelta(t, len(c.values), s.counter("sluice_gateway_events_accepted_total", "sentry"), 0)
		})
	}
}

// TestSentryLogIDs: a log's id comes from the log and its place, and never from the envelope, whose id is new each
// time.
func TestSentryLogIDs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ids := map[string]bool{}
	for i := range 3 {
		own := fmt.Sprintf("%032d", i+1)
		for _, body := range []string{
			lines(`{"type":"log"}`, `{"items":[{"body":"a"},{"body":"a"},{"body":"b"}]}`),
			lines(`{"type":"span"}`, `[{"span_id":"1"}]`, `{"type":"session"}`, `{}`, `{"type":"log"}`, `{"body":"single"}`),
		} {
			got := s.envelope(`{"event_id":"` + own + `"}` + "\n" + body)
			require.Equal(t, 200, got.status, got.text)
			assert.NotContains(t, got.text, own)
		}
	}
	stored := s.producer.Stored()
	assert.Len(t, stored, 15)
	for _, r := range stored {
		ids[headerOf(r, "event-id")] = true
	}
	assert.Len(t, ids, 5)
}

// TestSentryRefusals: a request of which nothing makes sense is refused, with a detail that repeats nothing of it.
func TestSentryRefusals(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for name, c := range map[string]struct {
		path, body string
		status     int
		code       string
	}{
		"nothing":                  {pathEnvelope, "", 400, "empty"},
		"nothing to store":         {pathStore, "", 400, "empty"},
		"white space":              {pathEnvelope, " \n\n", 400, malformed},
		"no envelope":              {pathEnvelope, "secret", 400, malformed},
		"an array":                 {pathEnvelope, `["secret"]`, 400, malformed},
		"a header cut off":         {pathEnvelope, `{"event_id":"secret`, 400, malformed},
		"a header twice":           {pathEnvelope, `{}{}`, 400, malformed},
		"one event, malformed":     {pathEnvelope, "{}\n{\"type\":\"event\"}\n{\"secret\":}", 400, malformed},
		"one event, duplicate":     {pathEnvelope, "{}\n{\"type\":\"event\"}\n{\"secret\":1,\"secret\":2}", 400, malformed},
		"one event, absent":        {pathEnvelope, "{}\n{\"type\":\"event\"}", 400, "empty"},
		"one event, no object":     {pathEnvelope, "{}\n{\"type\":\"event\"}\n\"secret\"", 400, invalid},
		"one event, bad UTF-8":     {pathEnvelope, "{}\n{\"type\":\"event\"}\n{\"secret\":\"\xff\"}", 400, malformed},
		"one event, too deep":      {pathEnvelope, "{}\n{\"type\":\"event\"}\n" + strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), 400, malformed},
		"no entry of a list":       {pathEnvelope, "{}\n{\"type\":\"log\"}\n{\"items\":[", 400, malformed},
		"store, no object":         {pathStore, `["secret"]`, 400, invalid},
		"store, cut off":           {pathStore, `{"secret":1`, 400, malformed},
		"store, neither":           {pathStore, "secret!", 400, malformed},
		"store, base64 of nothing": {pathStore, "c2VjcmV0", 400, malformed},
		"store, zlib cut off":      {pathStore, "\x78\x9csecret", 400, malformed},
	} {
		got := s.do(request{path: c.path, body: c.body})
		assert.Equal(t, c.status, got.status, name+got.text)
		assert.Equal(t, c.code, got.body.Code, name)
		assert.NotContains(t, got.text, "secret", name)
		assert.Contains(t, got.text, `"detail":"`, name)
	}
	for status, r := range map[int]request{
		401: {path: pathEnvelope, body: sentryEnvelope(1), noKey: true},
		400: {path: pathEnvelope + "?sentry_key=other", body: sentryEnvelope(1)},
		415: {path: pathEnvelope, body: sentryEnvelope(1), header: map[string]string{"Content-Encoding": "lzma"}},
	} {
		got := s.do(r)
		assert.Equal(t, status, got.status, got.text)
		assert.Contains(t, got.text, `"detail":"`)
	}
	assert.Empty(t, s.producer.Stored())
	assert.Equal(t, 405, s.do(request{path: pathStore, method: http.MethodGet}).status)
	for _, path := range []string{"/api//envelope/", "/api/1/2/envelope/", "/api/42/envelopes/", "/api/42/Store/"} {
		assert.Equal(t, 404, s.do(request{path: path, body: sentryEnvelope(1)}).status, path)
	}
}

// TestSentryStoreEncodings: old clients announce no encoding.
func TestSentryStoreEncodings(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const event = `{"message":"a","event_id":"efad4c3f4770472a90f5039ee5f1184e"}`
	var packed bytes.Buffer
	w := zlib.NewWriter(&packed)
	_, err := w.Write([]byte(event))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	in64 := base64.StdEncoding.EncodeToString
	for name, body := range map[string]string{
		"plain": event, "with white space": " \n" + event + "\n",
		"gzip": bodytest.Compress("gzip", event), "zlib": packed.String(), "base64 of zlib": in64(packed.Bytes()),
		"base64 in lines": in64(packed.Bytes())[:60] + "\n" + in64(packed.Bytes())[60:] + "\n",
		"base64 of gzip":  in64([]byte(bodytest.Compress("gzip", event))), "base64 of JSON": in64([]byte(event)),
	} {
		for _, path := range []string{pathStore, strings.TrimSuffix(pathStore, "/")} {
			octets := map[string]string{"Content-Type": "application/octet-stream"}
			got := s.do(request{path: path, body: body, header: octets})
			assert.Equal(t, 200, got.status, name+got.text)
			assert.JSONEq(t, `{"id":"efad4c3f4770472a90f5039ee5f1184e"}`, got.text)
		}
	}
	for _, value := range s.producer.Values() {
		assert.Equal(t, event, value)
	}
	bomb := bodytest.Compress("gzip", strings.Repeat(" ", 6<<20))
	got := s.do(request{path: pathStore, body: in64([]byte(bomb))})
	assert.Equal(t, 413, got.status)
	assert.Equal(t, "max_bulk_bytes", got.body.Limit)
}

// TestSentryClientReports: what clients dropped is counted under names of our own. A malformed report counts nothing.
func TestSentryClientReports(t *testing.T) {
	t.Parallel()
	s := serve(t)
	report := func(payload string) { s.envelope("{}\n{\"type\":\"client_report\"}\n" + payload + "\n") }
	report(`{"timestamp":1,"discarded_events":[{"reason":"ratelimit_backoff","category":"error","quantity":3},` +
		`{"reason":"made up","category":"log_item","quantity":2},{"reason":"sample_rate"},7,{"quantity":-5},{"quantity":1e9}]}`)
	report(`{"discarded_events":[{"reason":"network_error","category":"error","quantity":100}]`)
	report(`{"discarded_events":{"reason":"network_error"}}`)
	report(`[]`)
	name := "sluice_gateway_client_discarded_total"
	assert.InDelta(t, 3, s.counter(name, "ratelimit_backoff"), 0)
	assert.InDelta(t, 2, s.counter(name, "log_item"), 0)
	assert.InDelta(t, 5, s.counter(name, ""), 0)
	assert.InDelta(t, 4, s.counter("sluice_gateway_items_ignored_total", "client_report"), 0)
}
