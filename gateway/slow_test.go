package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/body"
	"sluice/gateway/broker/brokertest"
	"sluice/gateway/projects"
)

// slowly runs a gateway in a bubble of time, where minutes take no time, and lets send write to a connection. It
// returns the answer, or nil if the connection ended without one, and how long the answer took.
func slowly(t *testing.T, send func(w io.Writer)) (resp *http.Response, took time.Duration) {
	t.Helper()
	serve(t).single(`{"message":"x"}`) // what the server starts once, for ever, starts outside
	synctest.Test(t, func(t *testing.T) {
		g, err := New(Config{
			HTTPAddr: ":0", RequestTimeout: 5 * time.Second, HTTPIdleTimeout: time.Minute, MaxEventBytes: 1 << 20, MaxBulkBytes: 5 << 20, MaxHeaderBytes: 16 << 10,
			MaxInflightBytes: 64 << 20, MaxBodyBytes: 64 << 20, PartitionBy: "none", KafkaCompression: "none",
		}, Deps{
			Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Projects: projects.One("demo", testKey), Producer: &brokertest.Memory{},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		published, served := make(chan struct{}), make(chan struct{})
		go func() { defer close(published); g.publisher.Run(ctx) }()
		client, server := net.Pipe()
		go func() { defer close(served); _ = g.server.app.Server().ServeConn(server) }()
		start := time.Now()
		sent := make(chan struct{})
		go func() { defer close(sent); send(client) }()
		if resp, err = http.ReadResponse(bufio.NewReader(client), nil); err == nil {
			_ = resp.Body.Close()
		}
		took = time.Since(start)
		_ = client.Close()
		<-sent
		<-served
		stop()
		<-published
		if held := g.ingester.BodyBytes(); held != 0 {
			t.Errorf("%d bytes are still held", held)
		}
	})
	return resp, took
}

// head returns a request's head that announces n bytes.
func head(path string, n int) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n", path, testKey, n)
}

const chunkedHead = "POST " + pathBulk + " HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + testKey + "\r\nTransfer-Encoding: chunked\r\n\r\n"

// trickle writes text in pieces of n bytes, one every interval, until nobody reads any more.
func trickle(w io.Writer, text string, n int, every time.Duration) {
	for len(text) > 0 {
		piece := text[:min(n, len(text))]
		if _, err := io.WriteString(w, piece); err != nil {
			return
		}
		text = text[len(piece):]
		time.Sleep(every)
	}
}

// TestBodiesAreCutByProgress: a body that makes progress may take any time. A body that stands still, or moves too
// slowly, is answered 408.
func TestBodiesAreCutByProgress(t *testing.T) {
	whole := func(n int) string { return "[" + eventOf(900<<10) + strings.Repeat(" ", n-(900<<10)-2) + "]" }
	for _, c := range []struct {
		name        string
		send        func(w io.Writer)
		status      int
		least, most time.Duration
	}{
		{"5 MiB at 2 KiB/s", func(w io.Writer) {
			_, _ = io.WriteString(w, head(pathBulk, 5<<20))
			trickle(w, whole(5<<20), 2<<10, time.Second)
		}, 202, 40 * time.Minute, 45 * time.Minute},
		{"1 MiB at just 1 KiB/s", func(w io.Writer) {
			_, _ = io.WriteString(w, head(pathEvents, 1<<20))
			trickle(w, eventOf(1<<20), 1<<10, time.Second)
		}, 202, 17 * time.Minute, 18 * time.Minute},
		{"just below 1 KiB/s", func(w io.Writer) {
			_, _ = io.WriteString(w, head(pathBulk, 5<<20)+strings.Repeat(" ", 8<<10))
			trickle(w, strings.Repeat(" ", 4<<20), 950, time.Second)
		}, 408, 30 * time.Second, 75 * time.Second}, // two windows, each of which ends with the piece after it
		{"a byte every 9 seconds", func(w io.Writer) {
			_, _ = io.WriteString(w, head(pathBulk, 5<<20)+strings.Repeat(" ", 8<<10))
			trickle(w, strings.Repeat(" ", 1000), 1, 9*time.Second)
		}, 408, 30 * time.Second, 40 * time.Second},
		{"a chunk every 9 seconds", func(w io.Writer) {
			_, _ = io.WriteString(w, chunkedHead)
			trickle(w, strings.Repeat("1\r\n \r\n", 1000), 6, 9*time.Second)
		}, 408, 30 * time.Second, 40 * time.Second},
		{"a byte of a chunk every 9 seconds", func(w io.Writer) { // the server waits for the whole frame
			_, _ = io.WriteString(w, chunkedHead)
			trickle(w, strings.Repeat("1\r\n \r\n", 1000), 1, 9*time.Second)
		}, 408, body.Silence, 40 * time.Second},
		{"silence", func(w io.Writer) {
			_, _ = io.WriteString(w, head(pathBulk, 5<<20)+strings.Repeat(" ", 20<<10))
		}, 408, body.Silence, body.Silence + time.Second},
		{"silence of just 10 seconds", func(w io.Writer) {
			_, _ = io.WriteString(w, head(pathEvents, 60_000)+eventOf(60_000)[:50_000])
			time.Sleep(body.Silence - time.Millisecond)
			_, _ = io.WriteString(w, eventOf(60_000)[50_000:])
		}, 202, 9 * time.Second, body.Silence},
		{"no body at all", func(w io.Writer) { _, _ = io.WriteString(w, head(pathEvents, 100)) }, 408, body.Silence, body.Silence + time.Second},
		{"headers a byte a second", func(w io.Writer) { trickle(w, head(pathEvents, 100), 1, time.Second) }, 408, body.Silence, body.Silence + time.Second},
		{"not a byte", func(io.Writer) {}, 408, body.Silence, body.Silence + time.Second},
		{"a refused body a byte a second", func(w io.Writer) {
			_, _ = io.WriteString(w, strings.Replace(head(pathBulk, 5<<20), testKey, "nobody", 1)+strings.Repeat(" ", 20<<10))
			trickle(w, strings.Repeat(" ", 1000), 1, 2*time.Second)
		}, 401, time.Second, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, took := slowly(t, c.send)
			if resp == nil || resp.StatusCode != c.status {
				t.Fatalf("after %s: got %v, want %d", took, resp, c.status)
			}
			if took < c.least || took > c.most {
				t.Errorf("%d after %s, want %s to %s", c.status, took, c.least, c.most)
			}
			if c.status == 408 && !resp.Close {
				t.Error("the connection stays open")
			}
		})
	}
}
