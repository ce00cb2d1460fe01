package clickhouse

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sluice/consumer/rows"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// httpConnection posts blocks in the Native format, each as one, for servers that are reached over HTTP or HTTPS only.
type httpConnection struct {
	opts       *clickhouse.Options
	table      string
	client     *http.Client
	compressor *compress.Writer
	buf        proto.Buffer
	known      *Server
}

func newHTTPConnection(opts *clickhouse.Options) *httpConnection {
	dialer := &net.Dialer{Timeout: DialTimeout}
	return &httpConnection{
		opts: opts, table: TableName,
		client: &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: opts.TLS, MaxIdleConns: 1,
		}},
		compressor: compress.NewWriter(compress.LevelZero, compress.LZ4),
	}
}

// ServerError is an answer of ClickHouse's that is not 200.
type ServerError struct {
	Code   int // ClickHouse's own, or 0
	Status int
	Text   string
}

func (e *ServerError) Error() string { return "clickhouse: " + e.Text }

func (h *httpConnection) insert(ctx context.Context, b *rows.Block, settings map[string]string) error {
	h.buf.Reset()
	columns := b.Columns()
	raw := proto.Block{Columns: len(columns), Rows: b.Rows()}
	if err := raw.EncodeRawBlock(&h.buf, 0, columns); err != nil {
		return fmt.Errorf("insert: encode: %w", err)
	}
	if err := h.compressor.Compress(h.buf.Buf); err != nil {
		return fmt.Errorf("insert: compress: %w", err)
	}
	query := url.Values{"query": {strings.TrimSuffix(insertStatement(h.opts.Auth.Database, h.table, columns), "VALUES") + "FORMAT Native"}, "decompress": {"1"}}
	for key, value := range settings {
		query.Set(key, value)
	}
	if err := h.post(ctx, query, h.compressor.Data, func([]byte) error { return nil }); err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return nil
}

// open asks what the server knows; each request may go over a connection of its own.
func (h *httpConnection) open(ctx context.Context) (*Server, error) {
	if h.known != nil {
		return h.known, nil
	}
	known := &Server{}
	if err := h.post(ctx, url.Values{}, []byte(serverQuery+" FORMAT TSV"), func(line []byte) error {
		known.learn(string(line))
		return nil
	}); err != nil {
		return nil, fmt.Errorf("ask clickhouse for its settings: %w", err)
	}
	h.known = known
	return known, nil
}

func (h *httpConnection) offsets(ctx context.Context, query string, each func(int64, uuid.UUID)) error {
	err := h.post(ctx, url.Values{}, []byte(query+" FORMAT TSV"), func(line []byte) error {
		number, text, _ := bytes.Cut(line, []byte("\t"))
		offset, err := strconv.ParseInt(string(number), 10, 64)
		if err != nil {
			return fmt.Errorf("an answer that is no number: %w", err)
		}
		id, err := uuid.ParseBytes(text)
		if err != nil {
			return fmt.Errorf("an answer that is no UUID: %w", err)
		}
		each(offset, id)
		return nil
	})
	if err != nil {
		return fmt.Errorf("select: %w", err)
	}
	return nil
}

// post sends a request and gives each the lines of its answer.
func (h *httpConnection) post(ctx context.Context, query url.Values, body []byte, each func(line []byte) error) error {
	scheme := "http"
	if h.opts.TLS != nil {
		scheme = "https"
	}
	target := url.URL{Scheme: scheme, Host: h.opts.Addr[0], Path: "/" + strings.TrimPrefix(h.opts.HttpUrlPath, "/"), RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return err //nolint:wrapcheck // the callers do
	}
	req.Header.Set("X-ClickHouse-User", h.opts.Auth.Username)
	req.Header.Set("X-ClickHouse-Key", h.opts.Auth.Password)
	resp, err := h.client.Do(req)
	if err != nil {
		return err //nolint:wrapcheck // the callers do
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	// A code can come with status 200: the server had begun to answer before it failed.
	code, _ := strconv.Atoi(resp.Header.Get("X-ClickHouse-Exception-Code"))
	if resp.StatusCode != http.StatusOK || code != 0 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return &ServerError{Code: code, Status: resp.StatusCode, Text: strings.TrimSpace(string(text))}
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if err := each(lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

func (h *httpConnection) close() { h.client.CloseIdleConnections() }
