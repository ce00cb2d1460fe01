package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// endpoint is the URL that a run posts to, and the open connections to it.
type endpoint struct {
	uri     string
	addr    string
	secure  *tls.Config // nil for http
	header  map[string]string
	timeout time.Duration
	connect func(ctx context.Context, network, addr string) (net.Conn, error)

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	cut   bool
}

const (
	singlePath = "/api/v1/events"
	bulkPath   = "/api/v1/events/bulk"
)

// connectTimeout bounds one attempt to connect.
const connectTimeout = 5 * time.Second

// errNotSent marks a request that was never sent because connecting failed. Its events keep their state.
var errNotSent = errors.New("no connection")

// newEndpoint returns an endpoint for cfg. It opens no connection.
func newEndpoint(
	cfg Config, connect func(ctx context.Context, network, addr string) (net.Conn, error),
) (*endpoint, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	path := singlePath
	if cfg.Bulk > 1 {
		path = bulkPath
	}
	e := &endpoint{
		uri:     strings.TrimSuffix(u.Scheme+"://"+u.Host+u.EscapedPath(), "/") + path,
		addr:    fasthttp.AddMissingPort(u.Host, u.Scheme == "https"),
		header:  map[string]string{"Authorization": "Bearer " + cfg.Key},
		timeout: cfg.Timeout,
		connect: connect,
		conns:   map[net.Conn]struct{}{},
	}
	if u.Scheme == "https" {
		trusted, err := cfg.authorities()
		if err != nil {
			return nil, fmt.Errorf("--ca-file: %w", err)
		}
		e.secure = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12, RootCAs: trusted}
	}
	if cfg.Gzip {
		e.header["Content-Encoding"] = "gzip"
	}
	return e, nil
}

// dial connects. Its errors wrap errNotSent.
func (e *endpoint) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	raw, err := e.connect(ctx, "tcp", e.addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotSent, err)
	}
	c := raw
	if e.secure != nil {
		secured := tls.Client(raw, e.secure)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, fmt.Errorf("%w: %w", errNotSent, err)
		}
		c = secured
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cut {
		_ = c.Close()
		return nil, fmt.Errorf("%w: the run is over", errNotSent)
	}
	e.conns[c] = struct{}{}
	return c, nil
}

func (e *endpoint) hangUp(c net.Conn) {
	e.mu.Lock()
	delete(e.conns, c)
	e.mu.Unlock()
	_ = c.Close()
}

// cutAll closes every connection, busy or idle, and prevents new ones.
func (e *endpoint) cutAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cut = true
	for c := range e.conns {
		_ = c.Close()
	}
}
