package load

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// gateway implements the HTTP contract over connections in memory, so that it works inside a synctest bubble. It stores
// accepted events like the pipeline: one row per id, the first copy wins.
type gateway struct {
	t *testing.T
	// fault, if set, sees each request first, numbered from 1. It returns true if it answered the request.
	fault func(n int, w http.ResponseWriter, r *http.Request, events []json.RawMessage) bool
	// down reports whether to refuse connections.
	down func() bool

	mu       sync.Mutex
	kept     []row
	seen     map[uuid.UUID]bool
	requests []time.Time
	conns    chan net.Conn
	done     chan struct{}
}

// serve starts a gateway; stop ends it.
func serve(t *testing.T) (g *gateway, stop func()) {
	t.Helper()
	g = &gateway{t: t, seen: map[uuid.UUID]bool{}, conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	var serving errgroup.Group
	serving.Go(func() error { return server.Serve(g) })
	return g, func() {
		close(g.done)
		_ = server.Close()
		if err := serving.Wait(); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			t.Errorf("serve: %v", err)
		}
	}
}

// Accept, Close and Addr make the gateway a net.Listener.
func (g *gateway) Accept() (net.Conn, error) {
	select {
	case c := <-g.conns:
		return c, nil
	case <-g.done:
		return nil, net.ErrClosed
	}
}

func (g *gateway) Close() error   { return nil }
func (g *gateway) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080} }

func (g *gateway) dial(context.Context, string, string) (net.Conn, error) {
	if g.down != nil && g.down() {
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	select {
	case g.conns <- server:
		return client, nil
	case <-g.done:
		return nil, net.ErrClosed
	}
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		body = unzipped
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return // the client is gone
	}
	events := []json.RawMessage{raw}
	if r.URL.Path == bulkPath {
		if err := json.Unmarshal(raw, &events); err != nil {
			g.t.Errorf("bulk is no array: %v", err)
		}
	}
	g.mu.Lock()
	g.requests = append(g.requests, time.Now())
	n := len(g.requests)
	g.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer dev-key" {
		refuse(w, 401, 0)
		return
	}
	if g.fault != nil && g.fault(n, w, r, events) {
		return
	}
	g.keep(events)
	g.accept(w, r, events)
}

// keep stores events as rows.
func (g *gateway) keep(events []json.RawMessage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range events {
		r := toRow(g.t, e)
		if !g.seen[r.id] {
			g.seen[r.id] = true
			g.kept = append(g.kept, r)
		}
	}
}

func (g *gateway) accept(w http.ResponseWriter, r *http.Request, events []json.RawMessage) {
	if r.URL.Path == bulkPath {
		bulk(w, 202, len(events), 0, "[]", "[]")
		return
	}
	w.WriteHeader(202)
	_, _ = fmt.Fprintf(w, `{"status":"accepted","event_id":"%s"}`, toRow(g.t, events[0]).id)
}

// bulk answers with counts. failed and retry are JSON.
func bulk(w http.ResponseWriter, status, accepted, rejected int, failed, retry string) {
	w.Header().Set("X-Accepted-Events", strconv.Itoa(accepted))
	w.Header().Set("X-Rejected-Events", strconv.Itoa(rejected))
	if retry != "[]" {
		w.Header().Set("Retry-After", "2")
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"status":"accepted","accepted":%d,"duplicates":0,"rejected":%d,"errors":%s,"retry":%s}`, accepted, rejected, failed, retry)
}

// refuse answers with an error body. after is Retry-After in seconds; 0: no header.
func refuse(w http.ResponseWriter, status, after int) {
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(after))
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":"No.","code":"code_%d","retryable":false,"request_id":"r"}`, status)
}

// drop closes the connection without an answer.
func drop(t *testing.T, w http.ResponseWriter) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Errorf("hijack: %v", err)
		return
	}
	_ = c.Close()
}

// toRow converts an event like the consumer, with code independent of the generator's.
func toRow(t *testing.T, raw []byte) row {
	var e struct {
		ID          uuid.UUID         `json:"event_id"`
		Message     string            `json:"message"`
		Level       string            `json:"level"`
		Environment string            `json:"environment"`
		Timestamp   int64             `json:"timestamp"`
		Tags        map[string]string `json:"tags"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Errorf("event is no JSON: %v: %s", err, raw)
	}
	aliases := map[string]string{"critical": "fatal", "warn": "warning", "log": "info", "trace": "debug", "": "error"}
	level := strings.ToLower(e.Level)
	if alias, ok := aliases[level]; ok {
		level = alias
	}
	if e.ID.Version() == 7 {
		sec, nsec := e.ID.Time().UnixTime()
		e.Timestamp = sec*1000 + nsec/1e6
	}
	return row{
		id: e.ID, project: "demo", payload: string(bytes.Clone(raw)), message: e.Message, level: level,
		environment: e.Environment, millis: e.Timestamp,
	}
}

// rows is a store over rows in memory. Each call reads them anew.
type rows struct {
	read func() []row
	err  func() error
}

func (s *rows) fail() error {
	if s.err != nil {
		return s.err()
	}
	return nil
}

func (s *rows) count(context.Context, string) (int64, error) {
	if err := s.fail(); err != nil {
		return 0, err
	}
	return int64(len(s.read())), nil
}

func (s *rows) rows(_ context.Context, _ string, fn func(*row) error) error {
	if err := s.fail(); err != nil {
		return err
	}
	for _, r := range s.read() {
		if err := fn(&r); err != nil {
			return err
		}
	}
	return nil
}

func (s *rows) close() error { return nil }

// stored returns the gateway's rows.
func (g *gateway) stored() []row {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]row(nil), g.kept...)
}
