package consumer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
)

// httpInserter posts blocks in the Native format, for servers that are reached over HTTP or HTTPS only.
type httpInserter struct {
	opts       *clickhouse.Options
	client     *http.Client
	compressor *compress.Writer
	buf        proto.Buffer
}

func newHTTPInserter(opts *clickhouse.Options) *httpInserter {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &httpInserter{
		opts: opts,
		client: &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: opts.TLS, MaxIdleConns: 1,
		}},
		compressor: compress.NewWriter(compress.LevelZero, compress.LZ4),
	}
}

// httpError is an answer of ClickHouse's that is not 200.
type httpError struct {
	code int // ClickHouse's own, or 0
	text string
}

func (e *httpError) Error() string { return "clickhouse: " + e.text }

func (h *httpInserter) insert(ctx context.Context, b *block) error {
	ctx, cancel := context.WithTimeout(ctx, insertTimeout)
	defer cancel()
	h.buf.Reset()
	raw := proto.Block{Columns: len(b.input), Rows: b.rows()}
	if err := raw.EncodeRawBlock(&h.buf, 0, b.input); err != nil {
		return fmt.Errorf("insert: encode: %w", err)
	}
	if err := h.compressor.Compress(h.buf.Buf); err != nil {
		return fmt.Errorf("insert: compress: %w", err)
	}
	return h.post(ctx, strings.TrimSuffix(insertStatement(h.opts.Auth.Database, b.input), "VALUES")+"FORMAT Native", h.compressor.Data)
}

func (h *httpInserter) post(ctx context.Context, statement string, body []byte) error {
	query := url.Values{"query": {statement}, "decompress": {"1"}}
	for key, value := range insertSettings {
		query.Set(key, value)
	}
	scheme := "http"
	if h.opts.TLS != nil {
		scheme = "https"
	}
	target := url.URL{Scheme: scheme, Host: h.opts.Addr[0], Path: "/" + strings.TrimPrefix(h.opts.HttpUrlPath, "/"), RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	req.Header.Set("X-ClickHouse-User", h.opts.Auth.Username)
	req.Header.Set("X-ClickHouse-Key", h.opts.Auth.Password)
	resp, err := h.client.Do(req)
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	// A code can come with status 200: the server had begun to answer before it failed.
	code, _ := strconv.Atoi(resp.Header.Get("X-ClickHouse-Exception-Code"))
	if resp.StatusCode != http.StatusOK || code != 0 {
		return fmt.Errorf("insert: %w", &httpError{code: code, text: strings.TrimSpace(string(text))})
	}
	if err != nil {
		return fmt.Errorf("insert: read the answer: %w", err)
	}
	return nil
}

func (h *httpInserter) close() { h.client.CloseIdleConnections() }
