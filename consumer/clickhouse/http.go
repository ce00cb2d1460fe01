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
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
)

// httpConnection posts blocks in the Native format, each as one, to servers that are reached over HTTP or HTTPS only.
//
// clickhouse-go 2.50 could post the bytes (InsertFormat), but not safely: it takes an answer with status 200 and an
// exception's code in its header for a success, which would lose the block. It also sends max_execution_time with every
// request that has a deadline, which a profile may forbid.
type httpConnection struct {
	opts       *clickhouse.Options
	client     *http.Client
	compressor *compress.Writer
	buf        proto.Buffer
	server     *Server
}

func newHTTPConnection(opts *clickhouse.Options) *httpConnection {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &httpConnection{
		opts: opts,
		client: &http.Client{Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext,
			TLSClientConfig: opts.TLS, MaxIdleConns: 1,
		}},
		compressor: compress.NewWriter(compress.LevelZero, compress.LZ4),
	}
}

// open asks what the server knows. Each request may go over a connection of its own.
func (h *httpConnection) open(ctx context.Context) (*Server, error) {
	if h.server != nil {
		return h.server, nil
	}
	server := &Server{}
	if err := h.post(ctx, url.Values{}, []byte(serverQuery+" FORMAT TSV"), func(line []byte) error {
		server.learn(string(line))
		return nil
	}); err != nil {
		return nil, fmt.Errorf("ask clickhouse for its settings: %w", err)
	}
	h.server = server
	return server, nil
}

func (h *httpConnection) sendBlock(
	ctx context.Context, table string, columns proto.Input, settings map[string]string,
) error {
	h.buf.Reset()
	raw := proto.Block{Columns: len(columns), Rows: columns[0].Data.Rows()}
	if err := raw.EncodeRawBlock(&h.buf, 0, columns); err != nil {
		return fmt.Errorf("insert: encode: %w", err)
	}
	if err := h.compressor.Compress(h.buf.Buf); err != nil {
		return fmt.Errorf("insert: compress: %w", err)
	}
	query := url.Values{
		"query": {insertStatement(h.opts.Auth.Database, table, columns) + " FORMAT Native"}, "decompress": {"1"},
	}
	for key, value := range settings {
		query.Set(key, value)
	}
	if err := h.post(ctx, query, h.compressor.Data, func([]byte) error { return nil }); err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return nil
}

func (h *httpConnection) stored(ctx context.Context, text string, each func(int, storedRow)) error {
	return h.read(ctx, text, func(partition int64, rest []byte) error {
		number, text, _ := bytes.Cut(rest, []byte("\t"))
		offset, err := strconv.ParseInt(string(number), 10, 64)
		if err != nil {
			return fmt.Errorf("the answer has no offset: %w", err)
		}
		id, err := uuid.ParseBytes(text)
		if err != nil {
			return fmt.Errorf("the answer has no UUID: %w", err)
		}
		each(int(partition), storedRow{offset, id})
		return nil
	})
}

func (h *httpConnection) pairs(ctx context.Context, text string, each func(int64, int64)) error {
	return h.read(ctx, text, func(number int64, rest []byte) error {
		other, err := strconv.ParseInt(string(rest), 10, 64)
		if err != nil {
			return fmt.Errorf("the answer has no second number: %w", err)
		}
		each(number, other)
		return nil
	})
}

// read asks a question, and calls each with the number and the other column of every row of the answer.
func (h *httpConnection) read(ctx context.Context, text string, each func(number int64, rest []byte) error) error {
	err := h.post(ctx, url.Values{}, []byte(text+" FORMAT TSV"), func(line []byte) error {
		digits, rest, _ := bytes.Cut(line, []byte("\t"))
		number, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil {
			return fmt.Errorf("the answer has no number: %w", err)
		}
		return each(number, rest)
	})
	if err != nil {
		return fmt.Errorf("select: %w", err)
	}
	return nil
}

// post sends a request and calls each with the lines of the answer.
func (h *httpConnection) post(ctx context.Context, query url.Values, body []byte, each func(line []byte) error) error {
	scheme := "http"
	if h.opts.TLS != nil {
		scheme = "https"
	}
	path := "/" + strings.TrimPrefix(h.opts.HttpUrlPath, "/")
	target := url.URL{Scheme: scheme, Host: h.opts.Addr[0], Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-ClickHouse-User", h.opts.Auth.Username)
	req.Header.Set("X-ClickHouse-Key", h.opts.Auth.Password)
	resp, err := h.client.Do(req)
	if err != nil {
		return err
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
