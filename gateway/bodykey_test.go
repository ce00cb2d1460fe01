package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/body"
	"sluice/gateway/body/bodytest"
	"sluice/gateway/ingest"
)

// keyEndingAt returns a batch whose key ends with the n-th byte of the body, and which goes on behind it.
func keyEndingAt(n int) string {
	const before, key = `{"batch":[{"event":"x","messageId":"m-1","p":"`, `"}],"writeKey":"` + clientKey + `"`
	return before + strings.Repeat("a", n-len(before)-len(key)) + key + `,"more":"` + strings.Repeat("b", 100_000) + `"}`
}

// TestKeyInBody: a key in the first 64 KiB of a body counts, however the body comes, and one behind them does not.
func TestKeyInBody(t *testing.T) {
	t.Parallel()
	ways := map[string]func(text string) request{
		"plain":            func(text string) request { return request{body: text} },
		"chunked":          func(text string) request { return request{body: text, chunked: true} },
		"gzip":             func(text string) request { return encoded("", "gzip", text) },
		"zstd":             func(text string) request { return encoded("", "zstd", text) },
		"br":               func(text string) request { return encoded("", "br", text) },
		"deflate, chunked": func(text string) request { r := encoded("", "deflate", text); r.chunked = true; return r },
		"unannounced gzip": func(text string) request { return request{body: bodytest.Compress("gzip", text)} },
		"gzip called plain": func(text string) request {
			return request{body: bodytest.Compress("gzip", text), header: map[string]string{"Content-Type": "text/plain"}}
		},
		"gzip in a form": func(text string) request {
			return request{body: bodytest.Compress("gzip", text), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clientsGateway(t)
			for n, want := range map[int]int{body.PrefixBytes - 1: 200, body.PrefixBytes: 200, body.PrefixBytes + 1: 401} {
				r := way(keyEndingAt(n))
				r.path, r.noKey = "/v1/batch", true
				got := s.do(r)
				assert.Equal(t, want, got.status, "%d: %s", n, got.text)
				if want == 401 {
					assert.Equal(t, "Bearer", got.header.Get("WWW-Authenticate"))
				}
			}
			assert.Len(t, s.producer.Stored(), 2)
			assert.Zero(t, s.ingester.BodyBytes())
		})
	}
}

// TestKeysInHeadAndBody: a key in the body counts only where its protocol has it, and must be that of the head.
func TestKeysInHeadAndBody(t *testing.T) {
	t.Parallel()
	s := serve(t, twoShops(t))
	basic := func(user, password string) map[string]string {
		r, _ := http.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(user, password)
		return map[string]string{"Authorization": r.Header.Get("Authorization")}
	}
	item := func(key string) string { return `{"event":"x","writeKey":"` + key + `"}` }
	for name, c := range map[string]struct {
		path, body string
		header     map[string]string
		status     int
	}{
		"both the same":         {"/v1/track", item(testKey), basic(testKey, ""), 200},
		"only the body":         {"/v1/track", item(testKey), nil, 200},
		"only the head":         {"/v1/track", `{"event":"x"}`, basic(testKey, ""), 200},
		"an empty one":          {"/v1/track", item(""), basic(testKey, ""), 200},
		"two projects":          {"/v1/track", item(blogKey), basic(testKey, ""), 400},
		"a foreign one":         {"/v1/track", item("nobody"), basic(testKey, ""), 400},
		"a foreign password":    {"/v1/track", item(testKey), basic(testKey, "x"), 200},
		"as the password":       {"/v1/track", item(testKey), basic("x", testKey), 200},
		"an unknown head":       {"/v1/track", item(testKey), basic("nobody", ""), 401},
		"unknown":               {"/v1/track", item("nobody"), nil, 401},
		"none":                  {"/v1/track", `{"event":"x"}`, nil, 401},
		"a number":              {"/v1/track", `{"event":"x","writeKey":1}`, nil, 401},
		"escaped":               {"/v1/track", `{"event":"x","writeKey":"test\u002dkey"}`, nil, 200},
		"not at the top":        {"/v1/track", `{"event":"x","p":{"writeKey":"` + testKey + `"}}`, nil, 401},
		"PostHog's, to Segment": {"/v1/track", `{"event":"x","api_key":"` + testKey + `"}`, nil, 401},
		"Segment's, to PostHog": {"/e/", item(testKey), nil, 401},
		"to our own path":       {pathEvents, `{"message":"x","writeKey":"` + testKey + `"}`, nil, 401},
		"a beacon":              {"/beacon/v1/batch?writeKey=" + testKey, `{"batch":[{"event":"x"}]}`, nil, 200},
		"a beacon, another":     {"/beacon/v1/batch?writeKey=" + testKey, item(blogKey), nil, 400},
		"a beacon, unknown":     {"/beacon/v1/batch?writeKey=nobody", item(testKey), nil, 401},
		"twice":                 {"/v1/track", `{"event":"x","writeKey":"` + testKey + `","writeKey":"` + testKey + `"}`, nil, 400},
		"no JSON":               {"/v1/track", `writeKey: ` + testKey, nil, 401},
		"empty":                 {"/v1/track", ``, nil, 401},
		"gzip, cut":             {"/v1/track", bodytest.Compress("gzip", item(testKey))[:20], nil, 401},
		"key, then nonsense":    {"/v1/track", `{"writeKey":"` + testKey + `",nonsense`, nil, 400},
		"another encoding":      {"/v1/track", item(testKey), map[string]string{"Content-Encoding": "lzma"}, 415},
	} {
		got := s.do(request{path: c.path, body: c.body, header: c.header, noKey: true})
		assert.Equal(t, c.status, got.status, "%s: %s", name, got.text)
		assert.NotContains(t, got.text, "nobody", name)
		if name == "two projects" || name == "a foreign one" {
			assert.Equal(t, "conflicting_keys", got.body.Code, name)
		}
	}
	// The origins of the project that the body names decide.
	got := s.do(from(shop, request{path: "/v1/track", body: item(blogKey), noKey: true}))
	assert.Equal(t, 403, got.status)
	got.closed(t)
	got = s.do(from(blog, request{path: "/v1/track", body: item(blogKey), noKey: true}))
	assert.Equal(t, 200, got.status)
	got.open(t, blog)
}

// TestUnknownKeysInBodies: unknown keys in bodies are limited by address as those in headers are.
func TestUnknownKeysInBodies(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.FailedKeysPerMinute = 3 })
	for i := range 5 {
		want := 401
		if i >= 3 {
			want = 429
		}
		got := s.do(request{path: "/batch/", body: fmt.Sprintf(`{"api_key":"guess-%d","batch":[]}`, i), noKey: true})
		assert.Equal(t, want, got.status, got.text)
	}
	assert.EqualValues(t, 2, s.counter("sluice_gateway_overload_total", ingest.LimitFailedKeys))
	assert.Equal(t, 200, s.do(request{path: "/batch/", body: `{"api_key":"` + testKey + `","batch":[{"event":"x"}]}`, noKey: true}).status)
}

// TestSlowKeyInBody: a body that is slow before its key or behind it is cut off as any other.
func TestSlowKeyInBody(t *testing.T) {
	anonymous := func(n int) string {
		return strings.ReplaceAll(head("/batch/", n), "X-Api-Key: "+testKey+"\r\n", "")
	}
	known := `{"api_key":"` + testKey + `","batch":[{"event":"x"}],"p":"`
	for name, c := range map[string]struct {
		send        func(w io.Writer)
		status      int
		least, most time.Duration
	}{
		"silence before the key": {func(w io.Writer) {
			_, _ = io.WriteString(w, anonymous(1<<20)+strings.Repeat(" ", 20<<10))
		}, 408, body.Silence, body.Silence + time.Second},
		"silence behind the prefix": {func(w io.Writer) {
			_, _ = io.WriteString(w, anonymous(1<<20)+known+strings.Repeat(" ", 100<<10))
		}, 408, body.Silence, body.Silence + time.Second},
		"a refused key, then silence": {func(w io.Writer) {
			_, _ = io.WriteString(w, anonymous(1<<20)+strings.Replace(known, testKey, "nobody", 1)+strings.Repeat(" ", 100<<10))
		}, 401, time.Second, 3 * time.Second},
		"slow and good": {func(w io.Writer) {
			text := known + strings.Repeat(" ", 200<<10) + `"}`
			_, _ = io.WriteString(w, anonymous(len(text)))
			trickle(w, text, 2<<10, time.Second)
		}, 200, time.Minute, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			resp, took := slowly(t, c.send)
			require.NotNil(t, resp)
			assert.Equal(t, c.status, resp.StatusCode)
			assert.True(t, took >= c.least && took <= c.most, took)
		})
	}
}

// TestExpectWithKeyInBody: only the body can say whose it is, so the client gets leave to send it.
func TestExpectWithKeyInBody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for path, want := range map[string]string{
		"/batch/": "HTTP/1.1 100 Continue\r\n", "/v1/batch": "HTTP/1.1 100 Continue\r\n", pathBulk: "HTTP/1.1 401 Unauthorized\r\n",
		"/flags/": "HTTP/1.1 100 Continue\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		text := `{"api_key":"` + testKey + `","writeKey":"` + testKey + `","batch":[{"event":"x"}]}`
		_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", path, len(text))
		in := bufio.NewReader(conn)
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, want, line, path)
		if strings.Contains(want, "100") {
			_, _ = in.ReadString('\n')
			_, _ = io.WriteString(conn, text)
			resp, err := http.ReadResponse(in, nil)
			require.NoError(t, err)
			assert.Equal(t, 200, resp.StatusCode, path)
			_ = resp.Body.Close()
		}
		_ = conn.Close()
	}
}
