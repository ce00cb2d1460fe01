//go:build unix

package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"sluice/gateway/broker/brokertest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
)

// BenchmarkHandler measures one request through the handler alone, without network and Kafka. It is steadier than
// BenchmarkEdge.
//
//	go test ./gateway -run '^$' -bench Handler -benchmem -count 6
func BenchmarkHandler(b *testing.B) {
	handler := handlerOf(b)
	for _, row := range []struct{ name, path, body string }{
		{"single", pathEvents, event200(1)},
		{"envelope", pathEnvelope, envelopeOf(1, event200(1))},
		{"stock envelope", pathEnvelope, stockEnvelope(b)},
		{"bulk10", pathBulk, bulkOf(10)},
		{"bulk1000", pathBulk, bulkOf(1000)},
		{"bulk512", pathBulk, bulkOf(512)},
		{"otlp512", pathOTLPLogs, otlpBatch(b, 512)},
		{"health", pathHealth, ""},
		{"notfound", "/api/v1/nowhere", event200(1)},
	} {
		b.Run(row.name, func(b *testing.B) {
			var ctx fasthttp.RequestCtx
			ctx.Init2(quietConn{}, nil, false)
			body := bytes.NewReader(nil)
			b.ReportAllocs()
			b.SetBytes(int64(len(row.body)))
			start := cpuTime()
			for b.Loop() {
				ctx.Request.Reset()
				ctx.Response.Reset()
				ctx.ResetUserValues()
				ctx.Request.SetRequestURI(row.path)
				ctx.Request.Header.Set("X-Api-Key", testKey)
				if row.path == pathOTLPLogs {
					ctx.Request.Header.SetContentType(protobufType)
				}
				if row.body != "" {
					ctx.Request.Header.SetMethod(fasthttp.MethodPost)
					body.Reset([]byte(row.body))
					ctx.Request.SetBodyStream(body, len(row.body))
				}
				handler(&ctx)
				if status := ctx.Response.StatusCode(); status != 202 && status != 200 && status != 404 {
					b.Fatalf("got %d %s", status, ctx.Response.Body())
				}
			}
			// Processor time says more than time on a machine that does other work too.
			b.ReportMetric(float64(cpuTime()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

// handlerOf returns the handler of a gateway whose Kafka acknowledges everything at once.
func handlerOf(b testing.TB, options ...option) fasthttp.RequestHandler {
	b.Helper()
	cfg := Config{
		HTTPAddr: "127.0.0.1:0", RequestTimeout: 10 * time.Second, HTTPIdleTimeout: time.Minute,
		MaxEventBytes: 1 << 20, MaxBulkBytes: 5 << 20, MaxHeaderBytes: 16 << 10, MaxInflightBytes: 256 << 20, PartitionBy: "none",
		KafkaCompression: "none",
	}
	projects := projectsIn(b, limited(100_000_000, "1s"))
	deps := Deps{
		Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Projects: projects, Producer: acknowledging{&brokertest.Memory{}},
	}
	for _, o := range options {
		o(&cfg, &deps)
	}
	g, err := New(cfg, deps)
	if err != nil {
		b.Fatal(err)
	}
	background(b, func(ctx context.Context) error {
		return g.tracer.Around(ctx, func(ctx context.Context) error {
			g.publisher.Run(ctx)
			return nil
		})
	})
	waitUntil(b, func() bool { return g.publisher.Partitions() > 0 })
	return g.server.app.Server().Handler
}

// acknowledging is a Producer that forgets every batch and reports success.
type acknowledging struct{ *brokertest.Memory }

func (acknowledging) Produce(context.Context, int, []byte) error { return nil }

// quietConn is a connection of which only the deadline is ever set.
type quietConn struct{ net.Conn }

func (quietConn) SetReadDeadline(time.Time) error { return nil }
func (quietConn) RemoteAddr() net.Addr            { return &net.TCPAddr{} }
func (quietConn) LocalAddr() net.Addr             { return &net.TCPAddr{} }
