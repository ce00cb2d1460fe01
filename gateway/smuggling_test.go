package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// smuggled is the request that an attacker hides in another one.
var smuggled = head(pathEvents, len(smuggledEvent)) + smuggledEvent

const smuggledEvent = `{"message":"smuggled"}`

// attacks are requests with a second one inside that a proxy and a server may tell apart differently. Each begins with
// the lines that follow the request line, the host and the key.
func attacks() map[string]string {
	const event = `{"message":"first"}`
	lengths := func(n int, more string) string { return fmt.Sprintf("Content-Length: %d\r\n%s", n, more) }
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(event), event)
	hidden := chunk + "0\r\n\r\n" + smuggled // by chunks: one event, then another request
	all := map[string]string{
		"CL.TE":                 lengths(len(hidden), "Transfer-Encoding: chunked\r\n\r\n") + hidden,
		"TE.CL":                 "Transfer-Encoding: chunked\r\n" + lengths(4, "\r\n") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled),
		"TE.CL, length first":   lengths(4, "Transfer-Encoding: chunked\r\n\r\n") + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled),
		"two lengths":           lengths(len(event), lengths(len(event)+len(smuggled), "\r\n")) + event + smuggled,
		"two lengths, reversed": lengths(len(event)+len(smuggled), lengths(len(event), "\r\n")) + event + smuggled,
		"two equal lengths":     lengths(len(event), lengths(len(event), "\r\n")) + event + smuggled,
		"a folded length":       fmt.Sprintf("Content-Length:\r\n %d\r\n\r\n%s%s", len(event), event, smuggled),
		"folded encoding":       "Transfer-Encoding:\r\n chunked\r\n" + lengths(len(hidden), "\r\n") + hidden,
		"a header continues":    "X-A: b\r\n Content-Length: 0\r\n" + lengths(len(event)+len(smuggled), "\r\n") + event + smuggled,
		"space in the name":     fmt.Sprintf("Content-Length : %d\r\n\r\n%s%s", len(event), event, smuggled),
		"no length, a body":     "\r\n" + smuggled,
		"CR inside a value":     "X-A: b\rTransfer-Encoding: chunked\r\n" + lengths(len(hidden), "\r\n") + hidden,
		"NUL inside a value":    "X-A: b\x00c\r\n" + lengths(len(event), "\r\n") + event + smuggled,
		"a chunk and a length":  "Transfer-Encoding: chunked\r\n\r\n" + chunk + "0\r\nContent-Length: 500\r\n\r\n" + smuggled,
		"extension, bare LF":    "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x;a\n%s\r\n0\r\n\r\n", len(event), event) + smuggled,
		"extension hides":       "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x;a=\"\n0\r\n\r\n%s\r\n0\r\n\r\n", len(event), event) + smuggled,
		"extension, bare CR":    "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x;a\rb\r\n%s\r\n0\r\n\r\n", len(event), event) + smuggled,
		"chunk ends in LF":      "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\n%s\n0\n\n", len(event), event) + smuggled,
		"chunk ends in junk":    "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%sXX0\r\n\r\n", len(event), event) + smuggled,
		"chunk size overflows":  "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("1%016x\r\n%s\r\n0\r\n\r\n", len(event), event) + smuggled,
		"chunk size negative":   "Transfer-Encoding: chunked\r\n\r\n-1\r\n" + event + "\r\n0\r\n\r\n" + smuggled,
		"chunk size 0x":         "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("0x%x\r\n%s\r\n0\r\n\r\n", len(event), event) + smuggled,
		"chunk size and space":  "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x \r\n%s\r\n0\r\n\r\n", len(event), event) + smuggled,
		"chunk size and +":      "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("+%x\r\n%s\r\n0\r\n\r\n", len(event), event) + smuggled,
		"an upgrade":            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\n" + lengths(len(event), "\r\n") + event + smuggled,
		"an upgrade to HTTP/2":  "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n" + lengths(len(event), "\r\n") + event + smuggled,
		"length as hop-by-hop":  "Connection: Content-Length\r\n" + lengths(len(event)+len(smuggled), "\r\n") + event + smuggled,
		"encoding, hop-by-hop":  "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n" + hidden,
	}
	for _, value := range []string{"+%d", "-%d", " %d ", "0x%x", "%[1]d, %[1]d", "%d\t", "0%d", "%d.0", "%d a", "1%020d", "\"%d\"", "%d\x00"} {
		all["Content-Length: "+value] = "Content-Length: " + fmt.Sprintf(value, len(event)) + "\r\n\r\n" + event + smuggled
	}
	for _, line := range []string{
		"Transfer-Encoding: xchunked", "Transfer-Encoding : chunked", "Transfer-Encoding:chunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding: cHuNkEd",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "Transfer-Encoding: x\r\nTransfer-Encoding: chunked", "Transfer-Encoding: \x0bchunked",
		"Transfer-Encoding: chunked, identity", "Transfer-Encoding: identity, chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: \"chunked\"",
		"Transfer-Encoding: chunked\x00", "X: x\nTransfer-Encoding: chunked", "X: x\rTransfer-Encoding: chunked", "Transfer-Encoding\r\n : chunked",
		"Transfer_Encoding: chunked", "Transfer-Encoding: chunk", "Transfer-Encoding: ", "\x00Transfer-Encoding: chunked", " Transfer-Encoding: chunked",
		"Transfer-Encoding: chunked;q=1", "Transfer-Encoding: chunked,chunked", "Transfer-\x7fEncoding: chunked", "Transfer-Encoding: chunke\u212a",
	} {
		all[fmt.Sprintf("%q and a length", line)] = line + "\r\n" + lengths(len(hidden), "\r\n") + hidden
		all[fmt.Sprintf("%q alone", line)] = line + "\r\n\r\n" + hidden
	}
	return all
}

// Through each proxy, the gateway answers no request that the proxy did not pass on as one, and the answer to another
// client's request is that client's. Counted at the gateway: each request that it answered has an answer at a client.
func TestSmuggling(t *testing.T) {
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := behindProxy(t, withProjects(t, limited(10_000_000, "1s")))
			p := start(t, s)
			line := "POST " + pathEvents + " HTTP/1.1\r\n"
			const host = "Host: localhost\r\n"
			key := "X-Api-Key: " + testKey + "\r\n"
			for what, text := range attacks() {
				s.attack(t, p, what, line+host+key+text)
			}
			for what, first := range map[string]string{
				"HTTP/1.0 with an encoding":   "POST " + pathEvents + " HTTP/1.0\r\n" + host,
				"HTTP/0.9":                    "POST " + pathEvents + "\r\n",
				"HTTP/9.9":                    "POST " + pathEvents + " HTTP/9.9\r\n" + host,
				"a URL of another host":       "POST http://evil.example" + pathEvents + " HTTP/1.1\r\n" + host,
				"a URL of another scheme":     "POST ftp://localhost" + pathEvents + " HTTP/1.1\r\n" + host,
				"two hosts":                   line + host + "Host: evil.example\r\n",
				"a space before the host":     line + " " + host,
				"a path with spaces":          "POST " + pathEvents + " HTTP/1.1 HTTP/1.1\r\n" + host,
				"a path with a line feed":     "POST " + pathEvents + "\n HTTP/1.1\r\n" + host,
				"an encoded line feed":        "POST " + pathEvents + "%0d%0aX:%20y HTTP/1.1\r\n" + host,
				"a GET with a body":           "GET " + pathLimits + " HTTP/1.1\r\n" + host,
				"a HEAD with a body":          "HEAD " + pathHealth + " HTTP/1.1\r\n" + host,
				"line feeds before the first": "\n\r\n\n" + line + host,
				"an underscore in the method": "PO_ST " + pathEvents + " HTTP/1.1\r\n" + host,
			} {
				chunks := "Transfer-Encoding: chunked\r\n\r\n7\r\n{\"message\r\n0\r\n\r\n" + smuggled
				s.attack(t, p, what+", chunked", first+key+chunks)
				length := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(smuggled), smuggled)
				s.attack(t, p, what+", with a length", first+key+length)
			}
			s.attack(t, p, "line feeds only", strings.ReplaceAll(line+host+key+"Content-Length: 19\r\n\r\n", "\r\n", "\n")+`{"message":"first"}`+smuggled)
			// The test sees requests that are two to everybody.
			before := s.count()
			require.Equal(t, 2, s.attack(t, p, "two requests", head(pathEvents, 19)+`{"message":"first"}`+smuggled))
			require.Equal(t, before+5, s.count(), "two of the attacker, its last one, and another client's two")
		})
	}
}

// count is how many requests the gateway has answered, without health checks, which a proxy makes by itself.
func (s *served) count() int {
	families, err := s.registry.Gather() // once: a health check may come between two
	require.NoError(s.t, err)
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			health := slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == routeHealth })
			if f.GetName() == "sluice_gateway_requests_total" && !health {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return int(sum)
}

// attack sends an attack, and then a request that ends the connection, over one connection; and another client's request
// over another one. It returns how many events of the attacker were kept.
func (s *served) attack(t *testing.T, p *proxy, what, text string) (kept int) {
	t.Helper()
	requests, stored := s.count(), len(s.producer.Stored())
	c := p.dial("127.0.0.2")
	const last = "GET " + pathLimits + " HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: " + testKey + "\r\nConnection: close\r\n\r\n"
	if _, err := io.WriteString(c, text+last); err != nil {
		t.Logf("%s: closed before all was sent", what)
	}
	answers := 0
	for r := bufio.NewReader(c); ; {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			break
		}
		if resp.StatusCode == http.StatusContinue {
			continue
		}
		if resp.Header.Get("X-Request-Id") != "" { // the gateway's, not the proxy's own
			answers++
		}
		if resp.StatusCode == http.StatusAccepted {
			kept++
		}
		if strings.HasPrefix(text, "HEAD") && answers == 1 {
			continue // has no body
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err != nil {
			break
		}
	}
	_ = c.Close()

	const id = "0191d5a0-0000-7000-8000-0000000000aa"
	for range 2 {
		resp, answer, err := p.post(pathEvents, `{"message":"another client","event_id":"`+id+`"}`, nil)
		require.NoError(t, err, what)
		answers++
		assert.Equal(t, http.StatusAccepted, resp.StatusCode, "%s: the answer to another client: %s", what, answer)
		assert.Contains(t, answer, id, "%s: the answer to another client", what)
	}
	// A request that is still under way at the gateway has no answer yet.
	waitUntil(t, func() bool { return s.ingester.UnderWay() == 0 })
	assert.LessOrEqual(t, s.count()-requests, answers, "%s: requests that the gateway answered, and answers that clients have", what)
	assert.Equal(t, kept+2, len(s.producer.Stored())-stored, "%s: what was kept, and what clients were told", what)
	return kept
}
