package gateway

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/load"
	"sluice/internal/testcert"
)

// secured is a gateway that speaks TLS, and its authority.
type secured struct {
	*served
	authority *testcert.Authority
	dir       string
	client    *http.Client
}

func serveTLS(t *testing.T, options ...option) *secured {
	t.Helper()
	s := &secured{authority: testcert.New(t), dir: t.TempDir()}
	certFile, keyFile := s.authority.Write(t, s.dir, "first")
	s.served = serve(t, append(options, func(c *Config, d *Deps) {
		c.HTTPTLSCertFile, c.HTTPTLSKeyFile = certFile, keyFile
		d.certificateEvery = 5 * time.Millisecond
		d.Now = nil
	})...)
	s.url = "https" + strings.TrimPrefix(s.url, "http")
	s.client = s.newClient()
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

func (s *secured) tls() *tls.Config {
	return &tls.Config{RootCAs: s.authority.Pool(), ServerName: "localhost"}
}

func (s *secured) newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: s.tls(), ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 100}}
}

func (s *secured) addr() string { return strings.TrimPrefix(s.url, "https://") }

// post sends an event and returns the answer's status and the name in the certificate.
func (s *secured) post(client *http.Client, body string) (status int, name string, err error) {
	req, err := http.NewRequest(http.MethodPost, s.url+pathEvents, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.TLS.PeerCertificates[0].Subject.CommonName, err
}

// Over TLS the gateway answers as without: HTTP/1.1, keep-alive, a WebSocket connection; and plain HTTP with a hint.
func TestTLS(t *testing.T) {
	s := serveTLS(t)
	for range 3 {
		status, name, err := s.post(s.client, `{"message":"x"}`)
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, status)
		require.Equal(t, "first", name)
	}
	require.Equal(t, 1, s.server.conns.Open(), "keep-alive")

	dialer := websocket.Dialer{TLSClientConfig: s.tls(), HandshakeTimeout: time.Minute}
	ws, _, err := dialer.Dial("wss"+strings.TrimPrefix(s.url, "https")+pathStream, http.Header{"Authorization": {"Bearer " + testKey}})
	require.NoError(t, err)
	stream := &streamed{t, ws}
	stream.send(`{"message":"y"}`)
	require.Equal(t, http.StatusAccepted, stream.receive().HTTPStatus)
	require.NoError(t, ws.Close())

	resp, err := http.Post("http"+strings.TrimPrefix(s.url, "https")+pathEvents, "application/json", strings.NewReader(`{"message":"z"}`))
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	require.Contains(t, string(text), "https://")

	require.InDelta(t, 30*24*3600, s.counter("sluice_gateway_tls_certificate_expires_seconds", ""), 60)
	require.Equal(t, 1.0, s.counter("sluice_gateway_tls_handshake_errors_total", "plain_http"))
	require.Zero(t, s.counter("sluice_gateway_requests_total", "other"), "ends of connections are no requests")
}

// The certificate changes under load: no request fails, open connections stay, and new ones get the new certificate.
// A broken pair changes nothing.
func TestTLSReloadUnderLoad(t *testing.T) {
	s := serveTLS(t, withProjects(t, limited(1_000_000, "1s")))
	var accepted, failed atomic.Int64
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for i := range 8 {
		senders.Go(func() {
			client := s.client
			for {
				select {
				case <-stop:
					return
				default:
				}
				if i%2 == 0 { // half of them connect anew each time
					client = s.newClient()
				}
				status, _, err := s.post(client, `{"message":"x"}`)
				if err != nil || status != http.StatusAccepted {
					failed.Add(1)
					t.Errorf("status %d, %v", status, err)
					return
				}
				accepted.Add(1)
				if i%2 == 0 {
					client.CloseIdleConnections()
				}
			}
		})
	}
	kept, err := tls.Dial("tcp", s.addr(), s.tls())
	require.NoError(t, err)
	defer kept.Close()
	exchange := func() {
		t.Helper()
		_, err = io.WriteString(kept, head(pathEvents, 15)+`{"message":"k"}`)
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(kept), nil)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		require.Equal(t, http.StatusAccepted, resp.StatusCode)
		accepted.Add(1)
	}
	serves := func(name string) func() bool {
		return func() bool {
			c, err := tls.Dial("tcp", s.addr(), s.tls())
			if err != nil {
				return false
			}
			defer c.Close()
			return c.ConnectionState().PeerCertificates[0].Subject.CommonName == name
		}
	}
	for i := range 5 {
		name := fmt.Sprintf("certificate %d", i)
		s.authority.Write(t, s.dir, name)
		waitUntil(t, serves(name))
		exchange()
	}
	certFile := s.cfg.HTTPTLSCertFile
	testcert.Replace(t, certFile, []byte("nothing of use"))
	waitUntil(t, func() bool { return s.counter("sluice_gateway_tls_certificate_broken", "") == 1 })
	exchange()
	require.True(t, serves("certificate 4")())
	s.authority.Write(t, s.dir, "the last")
	waitUntil(t, serves("the last"))
	require.Zero(t, s.counter("sluice_gateway_tls_certificate_broken", ""))
	close(stop)
	senders.Wait()
	require.Zero(t, failed.Load())
	require.NoError(t, s.stop())
	require.EqualValues(t, accepted.Load(), len(s.producer.Stored()), "what was answered 202 is on Kafka, and nothing else")
}

// The address of a client behind TLS is its own, and X-Forwarded-For counts from a trusted proxy only.
func TestTLSClientAddress(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		s := serveTLS(t, func(c *Config, _ *Deps) {
			c.FailedKeysPerMinute = 1
			if trusted {
				c.TrustedProxies = []string{netip.MustParseAddr("127.0.0.1").String()}
			}
		})
		statuses := map[int]int{}
		for i := range 3 {
			req, err := http.NewRequest(http.MethodPost, s.url+pathEvents, strings.NewReader(`{"message":"x"}`))
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer no-such-key")
			req.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
			resp, err := s.client.Do(req)
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, resp.Body)
			require.NoError(t, resp.Body.Close())
			statuses[resp.StatusCode]++
		}
		if trusted {
			require.Equal(t, map[int]int{401: 3}, statuses, "three clients")
		} else {
			require.Greater(t, statuses[429], 0, "one client")
		}
	}
}

// Connections park, wake and drain over TLS, and the limit of connections answers 503.
func TestTLSParksAndDrains(t *testing.T) {
	s := serveTLS(t, func(c *Config, d *Deps) { c.MaxConnections, d.parkAfter = 20, 50*time.Millisecond })
	var conns []*tls.Conn
	send := func(c net.Conn) *http.Response {
		_, err := io.WriteString(c, head(pathEvents, 15)+`{"message":"p"}`)
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp
	}
	for range 20 {
		c, err := tls.Dial("tcp", s.addr(), s.tls())
		require.NoError(t, err)
		defer c.Close()
		require.Equal(t, http.StatusAccepted, send(c).StatusCode)
		conns = append(conns, c)
	}
	waitUntil(t, func() bool { return s.server.conns.Parked() == 20 })
	excess, err := tls.Dial("tcp", s.addr(), s.tls())
	require.NoError(t, err)
	defer excess.Close()
	require.Equal(t, http.StatusServiceUnavailable, send(excess).StatusCode)
	for _, c := range conns {
		require.Equal(t, http.StatusAccepted, send(c).StatusCode, "a parked connection wakes")
	}
	waitUntil(t, func() bool { return s.server.conns.Parked() == 20 })
	require.NoError(t, s.stop())
	for _, c := range conns {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
		_, err := c.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF, "closed with a last record")
	}
}

// A body that stops in the middle is answered 408 over TLS as well.
func TestTLSSlowBody(t *testing.T) {
	s := serveTLS(t, func(_ *Config, d *Deps) { d.bodySilence = 100 * time.Millisecond })
	c, err := tls.Dial("tcp", s.addr(), s.tls())
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, head(pathEvents, 1000)+`{"message":`)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}

// sluice load sends to an https gateway whose authority it is told.
func TestTLSLoad(t *testing.T) {
	s := serveTLS(t, withProjects(t, limited(1_000_000, "1s")))
	cfg := load.Config{
		URL: s.url, Key: testKey, Events: 500, Bulk: 10,
		Connection: load.Connection{CAFile: s.authority.File, Connect: 10 * time.Second},
	}
	report, err := load.New(cfg, io.Discard, io.Discard).Run(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK())
	require.Len(t, s.producer.Stored(), 500)
	cfg.CAFile, cfg.Connect = "", 100*time.Millisecond
	_, err = load.New(cfg, io.Discard, io.Discard).Run(t.Context())
	require.ErrorContains(t, err, "unknown authority")
	cfg.CAFile = "/nowhere/ca.pem"
	_, err = load.New(cfg, io.Discard, io.Discard).Run(t.Context())
	require.ErrorContains(t, err, "--ca-file")
}
