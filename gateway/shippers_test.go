package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/format"
)

var updateGolden = flag.Bool("update.shippers", false, "write the golden files of the shippers anew")

// shipperProtocol is one way of sending to the gateway as shippers do.
type shipperProtocol struct {
	name, path, contentType string
	// body makes the body of a request with these lines, each of which is an event of its own.
	body func(lines ...string) string
	kept int // status of the answer when all is kept
}

var shipperProtocols = []shipperProtocol{
	{"elastic", pathElastic, "application/x-ndjson", func(lines ...string) string {
		return "{\"create\":{\"_index\":\"logs\"}}\n" + strings.Join(quoted(`{"message":%s}`, lines), "\n{\"create\":{\"_index\":\"logs\"}}\n") + "\n"
	}, 200},
	{"elastic, with an index in the path", "/logs/_bulk", "application/json", func(lines ...string) string {
		return "{\"index\":{}}\n" + strings.Join(quoted(`{"message":%s}`, lines), "\r\n\r\n{\"index\":{}}\r\n")
	}, 200},
	{"loki", pathLoki, "application/json", func(lines ...string) string {
		return `{"streams":[{"stream":{"app":"shop"},"values":[` + strings.Join(quoted(`["1795840630896000000",%s]`, lines), ",") + `]}]}`
	}, 204},
	{"loki, in protobuf", pathLoki, "application/x-protobuf", func(lines ...string) string {
		return lokiProtobuf(`{app="shop"}`, lines...)
	}, 204},
	{"splunk", pathSplunk, "", func(lines ...string) string { return strings.Join(quoted(`{"event":%s}`, lines), "") }, 200},
	{"splunk, raw", pathSplunkRaw, "text/plain", func(lines ...string) string { return strings.Join(lines, "\n") }, 200},
}

// quoted puts each line, as a JSON string, into a format.
func quoted(format string, lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		text, _ := json.Marshal(line)
		out[i] = fmt.Sprintf(format, text)
	}
	return out
}

func (p *shipperProtocol) request(lines ...string) request {
	return request{path: p.path, body: p.body(lines...), header: map[string]string{"Content-Type": p.contentType}}
}

// forShippers runs a test for each protocol.
func forShippers(t *testing.T, test func(t *testing.T, p *shipperProtocol)) {
	t.Helper()
	for i := range shipperProtocols {
		t.Run(shipperProtocols[i].name, func(t *testing.T) {
			t.Parallel()
			test(t, &shipperProtocols[i])
		})
	}
}

// produceShippers gets every answer of the shippers' paths that a test can get in reasonable time.
func produceShippers(t *testing.T) {
	t.Helper()
	t.Run("shippers", func(t *testing.T) {
		forShippers(t, func(t *testing.T, p *shipperProtocol) {
			for _, method := range []string{http.MethodPost, http.MethodPut} {
				if method == http.MethodPut && !strings.HasPrefix(p.name, "elastic") {
					continue
				}
				produceShipper(t, p, func(s *served, r request) {
					r.method = method
					s.do(r)
				})
			}
		})
	})
	open := serve(t)
	long := map[string]string{"X-Long": strings.Repeat("a", 17_000)}
	for _, path := range []string{pathElasticInfo, pathElasticLicense, pathElasticHealth, pathSplunkHealth} {
		open.do(request{method: http.MethodGet, path: path, noKey: true})
		open.do(request{method: http.MethodGet, path: path, header: long})
	}
	open.draining.Store(true)
	open.do(request{method: http.MethodGet, path: pathSplunkHealth})
}

func produceShipper(t *testing.T, p *shipperProtocol, do func(*served, request)) {
	t.Helper()
	open, ok := serve(t), p.request("x")
	with := func(r request, name, value string) request {
		r.header = map[string]string{"Content-Type": p.contentType, name: value}
		return r
	}
	nothing, large := ok, ok
	nothing.body, large.body, large.noKey = "", strings.Repeat(" ", 6<<20), false
	noKey := ok
	noKey.noKey = true
	for _, r := range []request{
		ok, nothing, large, noKey, with(ok, "X-API-Key", "other"), with(noKey, "Authorization", "Bearer other"),
		with(ok, "Content-Encoding", "lzma"), with(ok, "X-Long", strings.Repeat("a", 17_000)),
	} {
		do(open, r)
	}
	limit := serve(t, withProjects(t, limited(2, "60s")+"    origins: [\"https://shop.example\"]\n"))
	do(limit, with(ok, "Origin", "https://shop.example"))
	do(limit, with(ok, "Origin", "https://evil.example"))
	do(limit, p.request("a", "b", "c"))
	for range 2 {
		do(limit, ok)
	}
	for _, failure := range []error{broker.ErrRefused, errors.New("broker down")} {
		away := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = time.Second })
		away.producer.Failing(func() (bool, error) { return false, failure })
		do(away, ok)
	}
}

// columnsOf is what a consumer makes of the events that were kept, one line an event.
func columnsOf(t *testing.T, s *served) string {
	t.Helper()
	decoder := event.Decoder{Formats: format.All()}
	var ev event.Event
	var out strings.Builder
	for _, record := range s.producer.Stored() {
		envelope, err := event.DecodeRecord(&decoder, record.Value, record.Headers, 2<<20, &ev)
		require.NoError(t, err, "%s", record.Value)
		at, _, adjusted := ev.Times(envelope.ID, envelope.ReceivedAt, 0, 0)
		fmt.Fprintf(&out, "%s format=%q id=%s at=%s adjusted=%v\n", ev.Level, envelope.Format, envelope.ID, at.Format(time.RFC3339Nano), adjusted)
		fmt.Fprintf(&out, "  message=%q\n", ev.MessageText())
		for _, c := range []struct {
			name string
			text event.Text
		}{
			{"exception_type", ev.Exception.Type}, {"exception_value", ev.Exception.Value}, {"environment", ev.Environment},
			{"release", ev.Release}, {"server_name", ev.ServerName}, {"transaction", ev.Transaction}, {"trace_id", ev.TraceID},
			{"user_id", ev.UserID}, {"user_email", ev.UserEmail},
		} {
			if !c.text.IsZero() {
				fmt.Fprintf(&out, "  %s=%q\n", c.name, c.text)
			}
		}
		for _, tag := range ev.Tags {
			fmt.Fprintf(&out, "  tag %q=%q\n", tag.Key, tag.Value)
		}
		fmt.Fprintf(&out, "  payload=%s\n", record.Value)
	}
	return out.String()
}

// TestShipperCaptures sends what stock shippers sent, and compares the columns with golden files.
func TestShipperCaptures(t *testing.T) {
	const key = "0123456789abcdef0123456789abcdef"
	files, err := filepath.Glob("testdata/captures/*.json")
	require.NoError(t, err)
	tried := 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		if client, _, _ := strings.Cut(name, "-"); client != "fluent" && client != "rsyslog" && client != "syslog" {
			continue
		}
		tried++
		t.Run(name, func(t *testing.T) {
			s := serve(t, withProjects(t, "projects:\n  - id: demo\n    keys: [{name: test, sha256: \""+hash(key)+"\"}]\n"))
			s.clock.advance(5 * 24 * time.Hour)
			r := capturedShipper(t, file)
			for range 2 { // the second is the first, sent again
				got := s.do(r)
				if strings.HasSuffix(r.path, "_bulk") {
					assert.Equal(t, 200, got.status, got.text)
					assert.Contains(t, got.text, `"errors":false`)
					assert.Equal(t, "Elasticsearch", got.header.Get("X-Elastic-Product"))
				} else {
					assert.Equal(t, 202, got.status, got.text)
				}
			}
			got := columnsOf(t, s)
			if !strings.HasSuffix(r.path, "_bulk") { // the ids of native events without one are new each time
				got = regexp.MustCompile(` id=\S+`).ReplaceAllString(got, " id=")
			}
			require.Equal(t, got[:len(got)/2], got[len(got)/2:])
			checkGolden(t, name, got[:len(got)/2])
		})
	}
	assert.Equal(t, 5, tried)
}

// captured reads a recorded request.
func capturedShipper(t *testing.T, file string) request {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var capture struct {
		Request struct {
			Method, Target string
			Headers        [][2]string
		}
		Body string `json:"body_base64"`
	}
	require.NoError(t, json.Unmarshal(text, &capture))
	body, err := base64.StdEncoding.DecodeString(capture.Body)
	require.NoError(t, err)
	r := request{method: capture.Request.Method, path: capture.Request.Target, body: string(body), noKey: true, header: map[string]string{}}
	for _, h := range capture.Request.Headers {
		if h[0] != "Host" && h[0] != "Content-Length" && h[0] != "Connection" {
			r.header[h[0]] = h[1]
		}
	}
	return r
}

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "shippers", name+".golden")
	if *updateGolden {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// TestShipperKeeps: what is sent is kept, and the same request sent twice has the same ids.
func TestShipperKeeps(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		s := serve(t)
		got := s.do(p.request("first", "second", "first"))
		require.Equal(t, p.kept, got.status, got.text)
		once := columnsOf(t, s)
		require.Equal(t, 3, strings.Count(once, "payload="), once)
		require.Equal(t, 2, strings.Count(once, `message="first"`), once)
		assert.EqualValues(t, 3, s.counter("sluice_gateway_events_accepted_total", strings.Split(p.name, ",")[0]))
		require.Equal(t, p.kept, s.do(p.request("first", "second", "first")).status)
		assert.Equal(t, once+once, columnsOf(t, s))
		ids := map[string]bool{}
		for _, field := range strings.Fields(once) {
			if strings.HasPrefix(field, "id=") {
				ids[field] = true
			}
		}
		assert.Len(t, ids, 3, "equal events of a request are different events")
	})
}

// TestShipperRefusals: who may not send gets nothing kept, and the answer that the protocol has for it.
func TestShipperRefusals(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		s := serve(t)
		refused := func(status int, r request) reply {
			t.Helper()
			got := s.do(r)
			assert.Equal(t, status, got.status, got.text)
			assert.NotContains(t, got.text, testKey)
			return got
		}
		r := p.request("x")
		r.noKey = true
		refused(401, r)
		for _, header := range []string{"Bearer nobody", "Splunk nobody", "Basic " + base64.StdEncoding.EncodeToString([]byte("sluice:nobody"))} {
			r.header["Authorization"] = header
			refused(401, r)
		}
		r = p.request("x")
		r.header["X-API-Key"] = "another"
		refused(400, r)
		r = p.request("x")
		r.header["Content-Encoding"] = "lzma"
		refused(415, r)
		for _, body := range []string{"", " ", "\n\n"} {
			r = p.request("x")
			r.body = body
			refused(400, r)
		}
		r = p.request("x")
		r.body = strings.Repeat("\n", 5<<20+1)
		refused(413, r)
		r = p.request("x")
		r.method = http.MethodGet
		refused(405, r)
		assert.Empty(t, s.producer.Stored())
	})
}

// TestShipperKeys: the key may be the password of Basic auth, and Splunk's scheme counts.
func TestShipperKeys(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		s := serve(t)
		for _, header := range []string{
			"Basic " + base64.StdEncoding.EncodeToString([]byte("sluice:"+testKey)), "Splunk " + testKey, "ApiKey " + testKey,
			"ApiKey " + base64.StdEncoding.EncodeToString([]byte("id:"+testKey)),
		} {
			r := p.request("x")
			r.noKey = true
			r.header["Authorization"] = header
			assert.Equal(t, p.kept, s.do(r).status, header)
		}
	})
}

// TestShipperLimits: limits of size and number, each one below, at, and above.
func TestShipperLimits(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		const events = event.MaxBulkEvents
		s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = time.Minute }) // ten thousand records of a busy machine
		lines := make([]string, events+1)
		for i := range lines {
			lines[i] = "l"
		}
		for n, want := range map[int]int{events - 1: p.kept, events: p.kept, events + 1: 413} {
			assert.Equal(t, want, s.do(p.request(lines[:n]...)).status, "%d events", n)
		}
		assert.Equal(t, 2*events-1, len(s.producer.Stored()))

		// The largest event: the record as it goes to Kafka.
		s = serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes = 1000 })
		require.Equal(t, p.kept, s.do(p.request("l")).status)
		size := len(s.producer.Stored()[0].Value)
		for more, kept := range map[int]int{-1: 1, 0: 1, 1: 0} {
			before := len(s.producer.Stored())
			got := s.do(p.request(strings.Repeat("l", 1000-size+1+more)))
			assert.Equal(t, kept, len(s.producer.Stored())-before, "%+d: %d %s", more, got.status, got.text)
			assert.Equal(t, kept == 0, strings.Contains(got.text, event.LimitEventBytes), got.text)
		}

		// The whole body.
		for less, want := range map[int]int{1: p.kept, 0: p.kept, -1: 413} {
			r := p.request(strings.Repeat("l", 50), strings.Repeat("m", 50))
			size := len(r.body)
			if strings.Contains(p.contentType, "protobuf") {
				size, _ = snappy.DecodedLen([]byte(r.body))
			}
			s := serve(t, func(c *Config, _ *Deps) { c.MaxBulkBytes, c.MaxEventBytes = size+less, size-1 })
			got := s.do(r)
			assert.Equal(t, want == 413, got.status == 413 && strings.Contains(got.text, ingest.LimitBulkBytes), "%+d: %s", less, got.text)
		}
	})
}

// TestShipperRateLimit: what does not fit is to be sent again, and says when.
func TestShipperRateLimit(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		s := serve(t, withProjects(t, limited(3, "60s")))
		require.Equal(t, p.kept, s.do(p.request("a", "b", "c")).status)
		got := s.do(p.request("d"))
		assert.Equal(t, 429, got.status, got.text)
		assert.Equal(t, "60", got.header.Get("Retry-After"))
		assert.NotEmpty(t, got.header.Get("RateLimit"))
	})
}

// TestShipperOutage: with Kafka away, nothing is answered as kept, and the same request succeeds later.
func TestShipperOutage(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = time.Second })
		s.producer.Failing(func() (bool, error) { return false, errors.New("broker down") })
		got := s.do(p.request("a", "b"))
		assert.Equal(t, 503, got.status, got.text)
		assert.NotEmpty(t, got.header.Get("Retry-After"))
		s.producer.Failing(nil)
		waitUntil(t, func() bool { return s.do(p.request("a", "b")).status == p.kept })
	})
}
