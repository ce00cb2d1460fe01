package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/body/bodytest"
	"sluice/gateway/broker/brokertest"
)

// TestShipperEncodings: bodies are decompressed as on our own paths, within their limits.
func TestShipperEncodings(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		s := serve(t)
		send := func(name, body string) reply {
			r := p.request("x")
			r.body = body
			r.header["Content-Encoding"] = name
			return s.do(r)
		}
		plain := p.request("first", "second").body
		for _, name := range bodytest.Names {
			got := send(bodytest.Encoding(name), bodytest.Compress(name, plain))
			assert.Equal(t, p.kept, got.status, "%s: %s", name, got.text)
		}
		assert.Len(t, s.producer.Stored(), 2*len(bodytest.Names))
		whole := gzipped(t, plain)
		for body, want := range map[string]int{
			whole[:len(whole)-5]: 400, whole + "x": 400, plain: 400, gzipped(t, strings.Repeat(" ", 12<<20)): 413,
		} {
			assert.Equal(t, want, send("gzip", body).status)
		}
		assert.Equal(t, 415, send("gzip, gzip", gzipped(t, whole)).status)
		assert.Len(t, s.producer.Stored(), 2*len(bodytest.Names))
	})
}

// TestShipperOrigins: pages of other origins may not send, and those of the project's may with the headers of these
// protocols.
func TestShipperOrigins(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		s := serve(t, withProjects(t, limited(100, "60s")+"    origins: [\"https://shop.example\"]\n"))
		for origin, want := range map[string]int{"https://shop.example": p.kept, "https://evil.example": 403} {
			r := p.request("x")
			r.header["Origin"] = origin
			got := s.do(r)
			assert.Equal(t, want, got.status, origin)
			assert.Equal(t, want == p.kept, got.header.Get("Access-Control-Allow-Origin") == origin, origin)
		}
		got := s.do(request{method: http.MethodOptions, path: p.path, noKey: true, header: map[string]string{
			"Origin": "https://shop.example", "Access-Control-Request-Method": "POST",
		}})
		assert.Equal(t, 204, got.status)
		for _, name := range []string{"Authorization", "Content-Type", "X-Scope-OrgID", "X-Splunk-Request-Channel"} {
			assert.Contains(t, got.header.Get("Access-Control-Allow-Headers"), name)
		}
	})
}

// TestShipperSpool: while Kafka is away, events are kept on disk and answered as kept, and reach Kafka later.
func TestShipperSpool(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		spool, metric := withSpool(t, t.TempDir())
		s := serve(t, spool)
		s.producer.Down(brokertest.ErrDown)
		got := s.do(p.request("first", "second"))
		require.Equal(t, p.kept, got.status, got.text)
		assert.EqualValues(t, 2, metric("spool_events"))
		s.producer.Up()
		waitUntil(t, func() bool { return len(s.producer.Values()) == 2 })
	})
}

// TestShipperTrace: the trace context of a request stays with its events.
func TestShipperTrace(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		s := serve(t)
		r := p.request("x")
		r.header["Traceparent"] = trace
		require.Equal(t, p.kept, s.do(r).status)
		found := false
		for _, h := range s.producer.Stored()[0].Headers {
			found = found || h.Key == "traceparent" && string(h.Value) == trace
		}
		assert.True(t, found)
	})
}

// TestShipperIdempotencyKey: it makes the ids, as on our own paths, of whatever place and content.
func TestShipperIdempotencyKey(t *testing.T) {
	forShippers(t, func(t *testing.T, p *shipperProtocol) {
		s := serve(t)
		for _, key := range []string{"one", "one", "two"} {
			r := p.request("x", "y")
			r.header["Idempotency-Key"] = key
			require.Equal(t, p.kept, s.do(r).status)
		}
		ids := s.ids()
		assert.Equal(t, ids[:2], ids[2:4])
		assert.NotEqual(t, ids[0], ids[1])
		assert.NotContains(t, ids[:4], ids[4])
	})
}

// TestShipperContentTypes: the bulk path takes what shippers call JSON, and refuses what is something else.
func TestShipperContentTypes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, contentType := range []string{
		"application/json", "application/x-ndjson", "application/x-ndjson; charset=utf-8", "application/ndjson", "application/jsonlines", "text/json",
		"application/stream+json", "application/vnd.shipper+json", "application/octet-stream", "text/plain", "",
	} {
		got := s.do(request{path: pathBulk, body: "{\"log\":\"a\"}\n{\"msg\":\"b\"}\n", header: map[string]string{"Content-Type": contentType}})
		assert.Equal(t, 202, got.status, "%s: %s", contentType, got.text)
		assert.Equal(t, 2, got.body.Accepted, contentType)
	}
	for _, contentType := range []string{
		"text/css", "text/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=json", "application/msgpack",
		"application/json; charset=utf-16", "application/ndjson; charset=latin1", "json/", ";json",
	} {
		got := s.do(request{path: pathBulk, body: `[{"log":"a"}]`, header: map[string]string{"Content-Type": contentType}})
		assert.Equal(t, 415, got.status, contentType)
		got = s.do(request{path: pathEvents, body: `{"log":"a"}`, header: map[string]string{"Content-Type": contentType}})
		assert.Equal(t, 415, got.status, contentType)
	}
}

// TestShippersShareNoNames: what a name means to one protocol is nothing to another, though they share memory.
func TestShippersShareNoNames(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for range 20 {
		s.elastic(200, `{"index":{"stream":{},"values":[],"streams":1}}`, `{"message":"m"}`)
		s.elastic(400, `{"streams":[]}`, `{"message":"m"}`)
		got := s.do(request{path: pathLoki, body: `{"streams":[{"stream":{"app":"x"},"values":[["1","a"]]}]}`, header: map[string]string{"Content-Type": "application/json"}})
		require.Equal(t, 204, got.status, got.text)
	}
	assert.Contains(t, s.producer.Values(), `{"stream":{"app":"x"},"ts":"1","line":"a"}`)
	assert.Len(t, s.producer.Values(), 2)
}
