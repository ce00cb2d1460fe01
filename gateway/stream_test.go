package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ingest"
)

// streamed is a client's WebSocket connection.
type streamed struct {
	t  *testing.T
	ws *websocket.Conn
}

// stream opens a connection with the test's key.
func (s *served) stream(query string) *streamed {
	s.t.Helper()
	ws, resp, err := s.upgrade(query, http.Header{"Authorization": {"Bearer " + testKey}})
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusSwitchingProtocols, resp.StatusCode)
	s.t.Cleanup(func() { _ = ws.Close() })
	return &streamed{s.t, ws}
}

func (s *served) upgrade(query string, header http.Header) (*websocket.Conn, *http.Response, error) {
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second}
	return dialer.Dial("ws"+strings.TrimPrefix(s.url, "http")+pathStream+query, header)
}

func (c *streamed) send(text string) {
	c.t.Helper()
	require.NoError(c.t, c.ws.WriteMessage(websocket.TextMessage, []byte(text)))
}

// streamAnswer is the answer to one message.
type streamAnswer struct {
	Seq        int `json:"seq"`
	HTTPStatus int `json:"http_status"`
	RetryAfter int `json:"retry_after"`
	answerFields
}

// receive reads the next answer.
func (c *streamed) receive() (a streamAnswer) {
	c.t.Helper()
	require.NoError(c.t, c.ws.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, text, err := c.ws.ReadMessage()
	require.NoError(c.t, err)
	require.NoError(c.t, json.Unmarshal(text, &a), "%s", text)
	return a
}

// closed reads until the gateway closes the connection, and returns the status of the close.
func (c *streamed) closed() int {
	c.t.Helper()
	require.NoError(c.t, c.ws.SetReadDeadline(time.Now().Add(20*time.Second)))
	for {
		_, _, err := c.ws.ReadMessage()
		if closed, is := err.(*websocket.CloseError); is {
			return closed.Code
		}
		require.NoError(c.t, err)
	}
}

// TestStream: each message is answered as the body of a request to the path for one event, or for a bulk.
func TestStream(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes = 1000, 5000 })
	c := s.stream("?results=all")
	const id = "0190a5b2-7c3d-4e4f-8a1b-2c3d4e5f6a7b"
	spaces := func(n int) string { return strings.Repeat(" ", n) }
	kept := 0
	for i, m := range []struct {
		text     string
		status   int
		code     string
		accepted int
	}{
		{`{"message":"one","event_id":"` + id + `"}`, 202, "", 0},
		{` {"message":"one"}`, 202, "", 0},
		{`[{"message":"two"},{"message":"three"},{}]`, 202, "", 2},
		{`{"events":[{"message":"four"}]}`, 202, "", 1},
		{`{"message":"five"}` + "\n" + `{"message":"six"}`, 202, "", 2},
		{`{"message":"seven"}{"message":"eight"}`, 202, "", 2},
		{`{"level":"error"}`, 400, "invalid_event", 0},
		{`{"message":`, 400, "malformed", 0},
		{`[]`, 400, "empty", 0},
		{`[{}]`, 400, "invalid_event", 0},
		{``, 400, "empty", 0},
		{"\xff", 400, "malformed", 0},
		{`{"message":"x"` + spaces(1000-len(`{"message":"x"}`)) + `}`, 202, "", 0},
		{`{"message":"x"` + spaces(1001-len(`{"message":"x"}`)) + `}`, 413, "too_large", 0},
		{`[{"message":"x"}` + spaces(5000-len(`[{"message":"x"}]`)) + `]`, 202, "", 1},
	} {
		c.send(m.text)
		got := c.receive()
		assert.Equal(t, i+1, got.Seq)
		assert.Equal(t, m.status, got.HTTPStatus, m.text)
		assert.Equal(t, m.code, got.Code, m.text)
		assert.Equal(t, m.accepted, got.Accepted, m.text)
		if m.status == 202 {
			kept += max(1, m.accepted)
		}
		if i == 0 {
			assert.Equal(t, id, got.EventID)
		}
	}
	assert.Len(t, s.producer.Stored(), kept)
	assert.EqualValues(t, 8, s.counter("sluice_gateway_requests_total", "202"))
	c.send(spaces(5001))
	got := c.receive()
	assert.Equal(t, 413, got.HTTPStatus)
	assert.Equal(t, ingest.LimitBulkBytes, got.Limit)
	assert.Equal(t, websocket.CloseMessageTooBig, c.closed())
	waitUntil(t, func() bool { return s.server.conns.Open() == 0 })
}

// TestStreamUpgrade: what is refused is refused before the connection becomes one of WebSocket, as in a request.
func TestStreamUpgrade(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(1000, "60s")+"    origins: [\""+shop+"\"]\n"))
	for name, c := range map[string]struct {
		query  string
		header http.Header
		status int
	}{
		"no key":         {"", nil, 401},
		"unknown key":    {"?api_key=x", nil, 401},
		"in the query":   {"?api_key=" + testKey, nil, 101},
		"in a header":    {"", http.Header{"X-Api-Key": {testKey}}, 101},
		"its own page":   {"?api_key=" + testKey, http.Header{"Origin": {shop}}, 101},
		"a foreign page": {"?api_key=" + testKey, http.Header{"Origin": {"https://else.example"}}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			ws, resp, err := s.upgrade(c.query, c.header)
			require.NotNil(t, resp, "%v", err)
			assert.Equal(t, c.status, resp.StatusCode)
			if err == nil {
				assert.NoError(t, ws.Close())
			}
		})
	}
	got := s.do(request{method: http.MethodGet, path: pathStream})
	assert.Equal(t, 400, got.status)
	assert.Equal(t, "malformed", got.body.Code)
	assert.Equal(t, 405, s.do(request{path: pathStream}).status)
}

// TestStreamBackpressure: a connection has Window messages under way. The others wait in its buffers, and all are
// answered once Kafka takes them.
func TestStreamBackpressure(t *testing.T) {
	t.Parallel()
	s := serve(t)
	hold := make(chan struct{})
	s.producer.Hold = hold
	c := s.stream("")
	const n = 100
	for i := range n {
		c.send(fmt.Sprintf(`{"message":"%d"}`, i))
	}
	waitUntil(t, func() bool { return s.ingester.UnderWay() == 8 })
	assert.Never(t, func() bool { return s.ingester.UnderWay() > 8 }, 50*time.Millisecond, 5*time.Millisecond)
	close(hold)
	seen := map[int]bool{}
	for range n {
		a := c.receive()
		assert.Equal(t, 202, a.HTTPStatus)
		assert.False(t, seen[a.Seq], "%d twice", a.Seq)
		seen[a.Seq] = true
	}
	assert.Len(t, s.producer.Stored(), n)
}

// TestStreamDrain: messages under way are answered, then every connection closes with 1001. Run returns.
func TestStreamDrain(t *testing.T) {
	t.Parallel()
	s := serve(t)
	hold := make(chan struct{})
	s.producer.Hold = hold
	busy, idle := s.stream(""), s.stream("")
	busy.send(`{"message":"x"}`)
	waitUntil(t, func() bool { return s.ingester.UnderWay() == 1 })
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	assert.Equal(t, websocket.CloseGoingAway, idle.closed())
	close(hold)
	assert.Equal(t, 202, busy.receive().HTTPStatus)
	assert.Equal(t, websocket.CloseGoingAway, busy.closed())
	assert.NoError(t, <-stopped)
}

// TestStreamRateLimit: the limit counts events, and says when to come back.
func TestStreamRateLimit(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(3, "60s")))
	c := s.stream("")
	c.send(`[{"message":"a"},{"message":"b"},{"message":"c"},{"message":"d"}]`)
	got := c.receive()
	assert.Equal(t, 202, got.HTTPStatus)
	assert.Equal(t, [][2]int{{3, 3}}, got.Retry)
	assert.Equal(t, 60, got.RetryAfter)
	c.send(`{"message":"e"}`)
	got = c.receive()
	assert.Equal(t, 429, got.HTTPStatus)
	assert.Equal(t, 60, got.RetryAfter)
	assert.True(t, *got.Retryable)
}

// TestStreamOfARevokedKey: a key that is revoked ends the connection with the first message behind it.
func TestStreamOfARevokedKey(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(1000, "60s")))
	c := s.stream("")
	c.send(`{"message":"a"}`)
	assert.Equal(t, 202, c.receive().HTTPStatus)
	s.useProjects(projectsIn(t, "projects: [{id: demo}]"))
	c.send(`{"message":"b"}`)
	assert.Equal(t, 401, c.receive().HTTPStatus)
	assert.Equal(t, websocket.ClosePolicyViolation, c.closed())
}

// TestStreamPing: a client that answers pings stays connected. One that does not is gone after two of them.
func TestStreamPing(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ *Config, d *Deps) { d.streamPing = 300 * time.Millisecond })
	alive, silent := s.stream(""), s.stream("")
	pings := make(chan struct{}, 100)
	alive.ws.SetPingHandler(func(text string) error {
		pings <- struct{}{}
		return alive.ws.WriteControl(websocket.PongMessage, []byte(text), time.Now().Add(time.Second))
	})
	silent.ws.SetPingHandler(func(string) error { return nil })
	var answers sync.WaitGroup
	answers.Go(func() { _, _, _ = alive.ws.ReadMessage() }) // handles pings until the connection ends
	answers.Go(func() { _, _, _ = silent.ws.ReadMessage() })
	waitUntil(t, func() bool { return s.server.streams.Open() == 1 })
	for range 4 {
		<-pings
	}
	assert.Equal(t, 1, s.server.streams.Open())
	require.NoError(t, s.stop())
	answers.Wait()
}

// TestStreamCrowd holds a thousand connections, all of which send.
func TestStreamCrowd(t *testing.T) {
	t.Parallel()
	// The clients answer no ping before they read, and a busy machine may need minutes for all of them.
	s := serve(t, func(c *Config, d *Deps) { c.MaxConnections, d.streamPing = 1000, time.Hour })
	conns := make([]*streamed, 1000)
	for i := range conns {
		waitUntil(t, func() bool { return s.server.conns.Open() == i }) // for a moment the server counts it too
		conns[i] = s.stream("")
	}
	waitUntil(t, func() bool { return s.server.conns.Open() == len(conns) })
	assert.Equal(t, 503, s.single(`{"message":"x"}`).status, "they count as connections")
	for i, c := range conns {
		c.send(fmt.Sprintf(`{"message":"%d"}`, i))
	}
	for _, c := range conns {
		assert.Equal(t, 202, c.receive().HTTPStatus)
	}
	assert.Len(t, s.producer.Stored(), 1000)
	for _, c := range conns {
		require.NoError(t, c.ws.Close())
	}
	waitUntil(t, func() bool { return s.server.streams.Open() == 0 })
}
