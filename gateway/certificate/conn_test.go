package certificate

import (
	"bufio"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/testcert"
)

// port is a TLS port that echoes what it reads. It counts failed handshakes.
type port struct {
	authority *testcert.Authority
	addr      string

	mu     sync.Mutex
	failed map[string]int
	ends   chan error // of each connection's last read
}

func newPort(t *testing.T, handshake time.Duration) *port {
	t.Helper()
	p := &port{authority: testcert.New(t), failed: map[string]int{}, ends: make(chan error, 1000)}
	certFile, keyFile := p.authority.Write(t, t.TempDir(), "a")
	s := New(Config{
		Files: Files{certFile, keyFile}, Log: slog.New(slog.DiscardHandler), Handshake: handshake,
		Failed: func(reason string) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.failed[reason]++
		},
	})
	require.NoError(t, s.Load())
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p.addr = raw.Addr().String()
	l := s.Listener(raw)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				_, err := io.Copy(c, c)
				p.ends <- err
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return p
}

func (p *port) dial(t *testing.T, change func(*tls.Config)) (*tls.Conn, error) {
	t.Helper()
	cfg := &tls.Config{RootCAs: p.authority.Pool(), ServerName: "localhost"}
	if change != nil {
		change(cfg)
	}
	return tls.Dial("tcp", p.addr, cfg)
}

func (p *port) count(reason string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed[reason]
}

// TLS 1.2 and 1.3, only good suites, and HTTP/1.1 for a client that also knows HTTP/2.
func TestProtocols(t *testing.T) {
	t.Parallel()
	p := newPort(t, time.Minute)
	for name, tc := range map[string]struct {
		change  func(*tls.Config)
		refused bool
		version uint16
	}{
		"today's":      {nil, false, tls.VersionTLS13},
		"1.2":          {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, false, tls.VersionTLS12},
		"1.1":          {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, true, 0},
		"both HTTPs":   {func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, false, tls.VersionTLS13},
		"HTTP/2 alone": {func(c *tls.Config) { c.NextProtos = []string{"h2"} }, true, 0},
		"a CBC suite": {func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}, true, 0},
		"another's key": {func(c *tls.Config) { c.RootCAs = testcert.New(t).Pool() }, true, 0},
	} {
		c, err := p.dial(t, tc.change)
		if tc.refused {
			require.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, tc.version, c.ConnectionState().Version, name)
		if len(c.ConnectionState().NegotiatedProtocol) > 0 {
			require.Equal(t, "http/1.1", c.ConnectionState().NegotiatedProtocol)
		}
		_, err = io.WriteString(c, "hello")
		require.NoError(t, err)
		buf := make([]byte, 5)
		_, err = io.ReadFull(c, buf)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	for range 7 {
		require.NoError(t, <-p.ends, "every end looks like that of a plain connection")
	}
	require.Equal(t, 3, p.count(ReasonProtocol))
	require.Equal(t, 1, p.count(ReasonGone))
}

// A client that speaks plain HTTP is told so.
func TestPlainHTTP(t *testing.T) {
	t.Parallel()
	p := newPort(t, time.Minute)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"} {
		c, err := net.Dial("tcp", p.addr)
		require.NoError(t, err)
		_, err = io.WriteString(c, method+" /api/v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err, method)
		text, _ := io.ReadAll(resp.Body)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
		require.Contains(t, string(text), `"request_id":"`+resp.Header.Get("X-Request-Id")+`"}`)
		require.Contains(t, string(text), "https://")
		require.NoError(t, c.Close())
		require.NoError(t, <-p.ends)
	}
	require.Equal(t, 9, p.count(ReasonPlainHTTP))
	c, err := net.Dial("tcp", p.addr)
	require.NoError(t, err)
	_, err = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
	require.NoError(t, err)
	text, err := io.ReadAll(c)
	require.Empty(t, text, "%v", err)
	require.NoError(t, c.Close())
	require.Equal(t, 1, p.count(ReasonProtocol))
}

// Clients that are silent, or send a byte now and then, keep nobody else from shaking hands, and are gone at the
// deadline, whatever they send.
func TestSlowHandshakes(t *testing.T) {
	const slow = 200
	t.Parallel()
	p := newPort(t, 15*time.Second)
	var conns []net.Conn
	for range slow {
		c, err := net.Dial("tcp", p.addr)
		require.NoError(t, err)
		conns = append(conns, c)
	}
	c, err := p.dial(t, nil)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() {
			if i%2 == 0 {
				trickle(c)
			}
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
		})
	}
	all.Wait()
	for range slow + 1 {
		require.NoError(t, <-p.ends)
	}
	require.Equal(t, slow, p.count(ReasonTimeout))
}

// trickle sends the beginning of a handshake, a byte at a time, until the other side closes.
func trickle(c net.Conn) {
	hello := append([]byte{0x16, 3, 1, 0x3f, 0xff}, make([]byte, 1<<14)...)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range hello {
		<-tick.C
		if _, err := c.Write(hello[i : i+1]); err != nil {
			return
		}
	}
}

// Many clients that connect at once all get through.
func TestHandshakeStorm(t *testing.T) {
	t.Parallel()
	const clients = 200
	p := newPort(t, time.Minute)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			c, err := p.dial(t, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := io.WriteString(c, "x"); err != nil {
				t.Error(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Error(err)
			}
			_ = c.Close()
		})
	}
	all.Wait()
}

// The last record of a connection waits for room only for a moment. crypto/tls would wait for five seconds.
func TestGoodbyeIsShort(t *testing.T) {
	recorded := &deadlines{}
	c := &rawConn{Conn: recorded}
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(time.Hour)))
	require.Greater(t, recorded.ahead, 50*time.Minute)
	c.closing.Store(true)
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(5*time.Second)))
	require.LessOrEqual(t, recorded.ahead, goodbye)
}

// deadlines is a connection that records how far ahead its write deadline is.
type deadlines struct {
	net.Conn
	ahead time.Duration
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.ahead = time.Until(t)
	return nil
}
