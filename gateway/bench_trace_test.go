//go:build unix

package gateway

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"sluice/internal/tracing/tracingtest"
)

// BenchmarkTracing measures what tracing adds to a request through the handler: off, with a share of the requests
// traced, and with all of them.
//
//	go test ./gateway -run '^$' -bench Tracing -benchmem -count 6
func BenchmarkTracing(b *testing.B) {
	for _, row := range []struct {
		name  string
		share float64 // negative: tracing is off
	}{{"off", -1}, {"none", 0}, {"1%", 0.01}, {"all", 1}} {
		b.Run(row.name, func(b *testing.B) {
			var options []option
			if row.share >= 0 {
				options = append(options, withTracing(tracingtest.NewCollector(b), row.share))
			}
			send := singles(handlerOf(b, options...))
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				if status := send(); status != fasthttp.StatusAccepted {
					b.Fatalf("got %d", status)
				}
			}
			b.ReportMetric(float64(cpuTime()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

// singles returns a function that sends a single event through a handler, and returns the status.
func singles(handler fasthttp.RequestHandler) func() int {
	ctx := new(fasthttp.RequestCtx)
	ctx.Init2(quietConn{}, nil, false)
	text, body := []byte(event200(1)), bytes.NewReader(nil)
	return func() int {
		ctx.Request.Reset()
		ctx.Response.Reset()
		ctx.ResetUserValues()
		ctx.Request.SetRequestURI(pathEvents)
		ctx.Request.Header.Set("X-Api-Key", testKey)
		ctx.Request.Header.SetMethod(fasthttp.MethodPost)
		body.Reset(text)
		ctx.Request.SetBodyStream(body, len(text))
		handler(ctx)
		return ctx.Response.StatusCode()
	}
}

// TestRequestsThatAreNotTracedAllocateNothingMore: tracing allocates only for a request that is traced.
func TestRequestsThatAreNotTracedAllocateNothingMore(t *testing.T) {
	allocations := func(options ...option) float64 {
		send := singles(handlerOf(t, options...))
		return testing.AllocsPerRun(2000, func() { require.Equal(t, fasthttp.StatusAccepted, send()) })
	}
	// The publisher's goroutines allocate now and then, and more on a busy machine: the least of several measurements.
	off, none := math.Inf(1), math.Inf(1)
	for range 5 {
		off = min(off, allocations())
		none = min(none, allocations(withTracing(tracingtest.NewCollector(t), 0)))
		if none <= off+0.5 {
			return
		}
	}
	t.Errorf("%v allocations a request, %v without tracing", none, off)
}
