package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func (s *served) splunk(path, body string) (int, splunkReply) {
	s.t.Helper()
	got := s.do(request{path: path, body: body})
	var reply splunkReply
	require.NoError(s.t, json.Unmarshal([]byte(got.text), &reply))
	return got.status, reply
}

// TestSplunkEvents: objects, with anything or nothing between them, and what is no event.
func TestSplunkEvents(t *testing.T) {
	t.Parallel()
	invalid := func(n int) *int { return &n }
	for body, want := range map[string]struct {
		status, code, kept int
		invalid            *int
	}{
		`{"event":"a"}`:                                     {200, 0, 1, nil},
		`{"event":"a"}{"event":{"b":1}}`:                    {200, 0, 2, nil},
		"{\"event\":\"a\"}\n \r\n{\n\"event\"\n:\"b\"}\n":   {200, 0, 2, nil},
		`[{"event":"a"},{"event":"b"}]`:                     {200, 0, 2, nil},
		`{"event":"x","events":[{"event":"y"}]}`:            {200, 0, 1, nil},
		`{"event":"a"}{"event":""}{"event":"c"}`:            {400, 13, 2, invalid(1)},
		`{"event":"a"}{"fields":{}}`:                        {400, 12, 1, invalid(1)},
		`{"event":"a"}{"event":"b","event":"c"}{"event":1}`: {400, 6, 2, invalid(1)},
		`{"event":"a"}{"event":"b"`:                         {400, 6, 1, invalid(1)},
		`{"event":"a"},{"event":"b"}`:                       {400, 6, 1, invalid(1)},
		`{"event":"a"} 7 {"event":"b"}`:                     {400, 6, 2, invalid(1)},
		"{\"event\":\"a\xff\"}{\"event\":\"b\"}":            {400, 6, 1, invalid(0)},
		`[{"event":"a"},{"event":"b"}`:                      {400, 6, 0, nil},
		`[{"event":"a"}] x`:                                 {400, 6, 0, nil},
		`[]`:                                                {400, 5, 0, nil},
		``:                                                  {400, 5, 0, nil},
		`null`:                                              {400, 6, 0, invalid(0)},
	} {
		s := serve(t)
		status, got := s.splunk(pathSplunk, body)
		assert.Equal(t, want.status, status, "%q", body)
		assert.Equal(t, splunkReply{Text: got.Text, Code: want.code, Invalid: want.invalid}, got, "%q", body)
		assert.Len(t, s.producer.Stored(), want.kept, "%q", body)
	}
}

// TestSplunkPaths: the paths that clients use, and the answers to those without a valid token.
func TestSplunkPaths(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, path := range []string{"/services/collector", "/services/collector/1.0", "/services/collector/event", "/services/collector/event/1.0"} {
		status, got := s.splunk(path, `{"event":"a"}`)
		assert.Equal(t, 200, status, path)
		assert.Equal(t, splunkReply{Text: "Success"}, got)
	}
	for _, path := range []string{"/services/collector/raw", "/services/collector/raw/1.0"} {
		status, _ := s.splunk(path, "a\n\nb")
		assert.Equal(t, 200, status, path)
	}
	assert.Len(t, s.producer.Stored(), 8)
	code := func(header string) int {
		got := s.do(request{path: pathSplunk, body: `{"event":"a"}`, noKey: true, header: map[string]string{"Authorization": header}})
		assert.Equal(t, 401, got.status)
		var reply splunkReply
		require.NoError(t, json.Unmarshal([]byte(got.text), &reply))
		return reply.Code
	}
	assert.Equal(t, 2, code(""))
	assert.Equal(t, 4, code("Splunk nobody"))
	for _, path := range []string{pathSplunkHealth, "/services/collector/health/1.0"} {
		assert.Contains(t, s.do(request{method: http.MethodGet, path: path, noKey: true}).text, `"code":17`)
	}
	s.draining.Store(true)
	assert.Equal(t, 503, s.do(request{method: http.MethodGet, path: pathSplunkHealth, noKey: true}).status)
}

// TestSplunkRaw: lines become events of JSON, whatever bytes they have. The query says what they have in common.
func TestSplunkRaw(t *testing.T) {
	t.Parallel()
	s := serve(t)
	status, _ := s.splunk(pathSplunkRaw+"?host=h%22&sourcetype=st&source=s&index=i&time=1795840630.896&channel=c",
		"plain\r\n\"quoted\" \\ \x1b[31mred\n \t\n\xff\xfe\n{\"message\":\"m\"}")
	require.Equal(t, 200, status)
	const head = `{"time":"1795840630.896","host":"h\"","source":"s","sourcetype":"st","index":"i","event":`
	assert.Equal(t, []string{
		head + `"plain"}`, head + `"\"quoted\" \\ \u001b[31mred"}`, head + `"` + "\\ufffd\\ufffd" + `"}`, head + `"{\"message\":\"m\"}"}`,
	}, s.producer.Values())

	// What lines have in common does not multiply without bound.
	s = serve(t, func(c *Config, _ *Deps) { c.MaxHeaderBytes = 64 << 10 })
	lines := strings.Repeat("l\n", 10_000)
	status, _ = s.splunk(pathSplunkRaw+"?host="+strings.Repeat("h", 2000), lines)
	assert.Equal(t, 200, status, "20 MB")
	got := s.do(request{path: pathSplunkRaw + "?host=" + strings.Repeat("h", 2200), body: lines})
	assert.Equal(t, 413, got.status, got.text)
	assert.Len(t, s.producer.Stored(), 10_000)
}
