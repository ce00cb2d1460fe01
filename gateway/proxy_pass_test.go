package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// behindProxy returns a gateway that trusts the proxy on this machine.
func behindProxy(t *testing.T, options ...option) *served {
	t.Helper()
	return serve(t, append([]option{func(c *Config, d *Deps) {
		c.TrustedProxies, c.HTTPIdleTimeout, d.Now = []string{"127.0.0.1"}, 620*time.Second, nil
	}}, options...)...)
}

// What a client sees through a proxy is what the gateway answers.
func TestProxiesPassOn(t *testing.T) {
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := behindProxy(t, withProjects(t, limited(20_000, "1h")), func(c *Config, _ *Deps) { c.FailedKeysPerMinute = 1 })
			p := start(t, s)

			t.Run("single", func(t *testing.T) {
				resp, text, err := p.post(pathEvents, `{"message":"x"}`, map[string]string{"X-Request-Id": "mine"})
				require.NoError(t, err)
				require.Equal(t, http.StatusAccepted, resp.StatusCode, text)
				require.Equal(t, "mine", resp.Header.Get("X-Request-Id"))
				require.NotEmpty(t, resp.Header.Get("RateLimit"))
			})
			t.Run("paths pass byte for byte", func(t *testing.T) {
				for _, path := range []string{"//api/v1/events", "/api/v1/events/", "/API/v1/events", "/x/../api/v1/events", "/api/v1/%65vents"} {
					c := p.dial("127.0.0.1")
					resp := exchange(t, c, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: "+testKey+"\r\nContent-Length: 15\r\n\r\n"+`{"message":"p"}`)
					require.Equal(t, http.StatusNotFound, resp.StatusCode, path)
				}
			})
			t.Run("largest bulk", func(t *testing.T) {
				event := `{"message":"` + strings.Repeat("b", 1000) + `"}`
				n := (5<<20 - 2) / (len(event) + 1)
				bulk := "[" + strings.Repeat(event+",", n-1) + event + "]"
				bulk += strings.Repeat(" ", 5<<20-len(bulk))
				resp, text, err := p.post(pathBulk, bulk, nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusAccepted, resp.StatusCode, text)
				resp, text, err = p.post(pathBulk, bulk+" ", nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
				require.Contains(t, text, "bulk_bytes", "the gateway's answer, not the proxy's")
			})
			t.Run("far too large", func(t *testing.T) {
				c := p.dial("127.0.0.1")
				resp := exchange(t, c, head(pathBulk, 7<<20))
				require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
				require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
			})
			t.Run("chunked", func(t *testing.T) {
				c := p.dial("127.0.0.1")
				for range 3 { // over one connection
					resp := exchange(t, c, strings.Replace(chunkedHead, pathBulk, pathEvents, 1)+"5\r\n{\"mes\r\na\r\nsage\":\"c\"}\r\n0\r\n\r\n")
					require.Equal(t, http.StatusAccepted, resp.StatusCode)
				}
			})
			t.Run("100-continue", func(t *testing.T) {
				c := p.dial("127.0.0.1")
				_, err := io.WriteString(c, strings.Replace(head(pathEvents, 15), "\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n", 1))
				require.NoError(t, err)
				line := make([]byte, len("HTTP/1.1 100"))
				_, err = io.ReadFull(c, line)
				require.NoError(t, err)
				require.Equal(t, "HTTP/1.1 100", string(line))
				for end := ""; end != "\r\n\r\n"; { // the rest of the interim answer
					one := make([]byte, 1)
					_, err = io.ReadFull(c, one)
					require.NoError(t, err)
					end = (end + string(one))[max(0, len(end)-3):]
				}
				require.Equal(t, http.StatusAccepted, exchange(t, c, `{"message":"e"}`).StatusCode)
			})
			t.Run("WebSocket", func(t *testing.T) {
				dialer := websocket.Dialer{TLSClientConfig: p.tls(), HandshakeTimeout: time.Minute}
				ws, _, err := dialer.Dial("wss://"+p.addr+pathStream, http.Header{"Authorization": {"Bearer " + testKey}})
				require.NoError(t, err)
				stream := &streamed{t, ws}
				stream.send(`{"message":"w"}`)
				require.Equal(t, http.StatusAccepted, stream.receive().HTTPStatus)
				require.NoError(t, ws.Close())
			})
			t.Run("client addresses", func(t *testing.T) {
				request := strings.Replace(head(pathEvents, 15), testKey, "nobody", 1)
				ask := func(from, claimed string) int {
					claim := strings.Replace(request, "\r\n\r\n", "\r\nX-Forwarded-For: "+claimed+"\r\n\r\n", 1)
					return exchange(t, p.dial(from), claim+`{"message":"a"}`).StatusCode
				}
				statuses := map[int]int{}
				for i := range 4 {
					statuses[ask("127.0.0.2", fmt.Sprintf("192.0.2.%d", i))]++
				}
				require.Positive(t, statuses[http.StatusTooManyRequests], "one client, whatever it claims: %v", statuses)
				require.Equal(t, http.StatusUnauthorized, ask("127.0.0.3", "127.0.0.2"), "another client")
			})
			t.Run("rate limit", func(t *testing.T) {
				resp, _, err := p.post(pathBulk, events(5_000, nil), nil)
				for err == nil && resp.StatusCode == http.StatusAccepted {
					resp, _, err = p.post(pathBulk, events(5_000, nil), nil)
				}
				require.NoError(t, err)
				require.Equal(t, http.StatusTooManyRequests, resp.StatusCode)
				require.Equal(t, "3600", resp.Header.Get("Retry-After"))
			})
			t.Run("keep-alive to the gateway", func(t *testing.T) {
				before := s.server.conns.Open()
				for range 50 {
					resp, _, err := p.post(pathEvents, `{"message":"k"}`, nil)
					require.NoError(t, err)
					require.NotEmpty(t, resp.Header.Get("X-Request-Id"))
				}
				require.LessOrEqual(t, s.server.conns.Open(), before+1)
			})
			t.Run("no gateway", func(t *testing.T) {
				require.NoError(t, s.stop())
				resp, text, err := p.post(pathEvents, `{"message":"x"}`, nil)
				require.NoError(t, err)
				require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
				require.Equal(t, "5", resp.Header.Get("Retry-After"))
				require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
				require.Contains(t, text, `"retryable":true`)
			})
		})
	}
}

// One of two gateways drains under load, with the order of a real stop: first /healthz says 503, and requests are still
// served; then the port closes. Every 202 is on Kafka once, and clients see nothing but 202.
func TestProxiesDrain(t *testing.T) {
	for name, start := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unlimited := withProjects(t, limited(10_000_000, "1s"))
			first := behindProxy(t, unlimited, func(_ *Config, d *Deps) { d.DrainDelay = 2 * time.Second })
			second := behindProxy(t, unlimited)
			p := start(t, first, second)
			var accepted, other atomic.Int64
			stop := make(chan struct{})
			var senders sync.WaitGroup
			for range 8 {
				senders.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						resp, text, err := p.post(pathEvents, `{"message":"d"}`, nil)
						switch {
						case err != nil:
							t.Errorf("the proxy: %v", err)
							return
						case resp.StatusCode == http.StatusAccepted:
							accepted.Add(1)
						default:
							other.Add(1)
							assert.Equal(t, http.StatusServiceUnavailable, resp.StatusCode, text)
							assert.NotEmpty(t, resp.Header.Get("Retry-After"))
						}
					}
				})
			}
			waitUntil(t, func() bool { return len(first.producer.Stored()) > 50 && len(second.producer.Stored()) > 50 })
			require.NoError(t, first.stop())
			after := len(second.producer.Stored())
			waitUntil(t, func() bool { return len(second.producer.Stored()) > after+100 })
			close(stop)
			senders.Wait()
			kept := len(first.producer.Stored()) + len(second.producer.Stored())
			require.GreaterOrEqual(t, int64(kept), accepted.Load(), "every 202 is on Kafka")
			require.LessOrEqual(t, int64(kept), accepted.Load()+other.Load(), "nothing was sent twice")
			t.Logf("%d accepted, %d to send again", accepted.Load(), other.Load())
		})
	}
}
