package tracing

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// fakeCollector answers as it is told to, and keeps the spans of what it took.
type fakeCollector struct {
	mu     sync.Mutex
	answer func() (status int, header http.Header, body []byte, err error)
	spans  []*otlp.Span
	asked  int
}

func (c *fakeCollector) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	status, header, body := http.StatusOK, http.Header{}, []byte(nil)
	if c.answer != nil {
		if status, header, body, err = c.answer(); err != nil {
			return nil, err
		}
	}
	if status == http.StatusOK {
		var request collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(text, &request); err != nil {
			return nil, err
		}
		c.spans = append(c.spans, request.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()...)
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

func (c *fakeCollector) say(status int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = func() (int, http.Header, []byte, error) { return status, nil, nil, err }
}

func (c *fakeCollector) took() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.spans)
}

// bench is a tracer with a fake collector, and its log.
type bench struct {
	t         *testing.T
	tracer    *Tracer
	collector *fakeCollector
	log       bytes.Buffer
	stop      context.CancelFunc
	stopped   chan struct{}
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, collector: &fakeCollector{}, stopped: make(chan struct{})}
	cfg := good()
	cfg.Sample = 1
	cfg.PerSecond = mostPerSecond
	var err error
	b.tracer, err = New(cfg, Deps{
		Service: "test", Version: "v1", Metrics: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(&b.log, nil)), Drain: 10 * time.Second,
	})
	require.NoError(t, err)
	b.tracer.exporter.client.Transport = b.collector
	return b
}

func (b *bench) run() {
	ctx, cancel := context.WithCancel(b.t.Context())
	b.stop = cancel
	go func() {
		defer close(b.stopped)
		_ = b.tracer.Around(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
	}()
}

func (b *bench) end() {
	b.stop()
	<-b.stopped
}

func (b *bench) spans(n int) {
	for range n {
		b.tracer.Root("work", Internal, time.Now()).End(time.Now())
	}
}

func (b *bench) dropped(reason string) int {
	return int(testutil.ToFloat64(b.tracer.exporter.metrics.dropped.WithLabelValues(reason)))
}

func (b *bench) exported() int { return int(testutil.ToFloat64(b.tracer.exporter.metrics.exported)) }

// What ended before the end reaches the collector, in batches.
func TestExport(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.run()
		b.spans(1)
		<-time.After(2 * gatherFor)
		assert.Equal(t, 1, b.collector.took())
		b.spans(3 * batchSpans)
		b.end()
		assert.Equal(t, 1+3*batchSpans, b.collector.took())
		assert.Equal(t, 1+3*batchSpans, b.exported())
		assert.NotContains(t, b.log.String(), "level=WARN")
	})
}

// The queue takes queueSpans and no more, and says how many it dropped.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.spans(queueSpans)
		assert.Zero(t, b.dropped(droppedFull))
		b.spans(1)
		assert.Equal(t, 1, b.dropped(droppedFull))
	})
}

// An hour without a collector costs two lines in the log, and every span is counted. Then all goes on.
func TestCollectorAway(t *testing.T) {
	t.Parallel()
	for name, away := range map[string]struct {
		status int
		err    error
	}{
		"no connection": {0, errors.New("connection refused")},
		"503":           {http.StatusServiceUnavailable, nil},
		"429":           {http.StatusTooManyRequests, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.collector.say(away.status, away.err)
				b.run()
				made := 0
				for range 60 {
					b.spans(100)
					made += 100
					<-time.After(time.Minute)
				}
				b.collector.say(http.StatusOK, nil)
				<-time.After(10 * time.Minute)
				b.spans(1)
				b.end()
				assert.Equal(t, made+1, b.exported()+b.dropped(droppedUnreachable)+b.dropped(droppedFull))
				assert.Positive(t, b.dropped(droppedUnreachable))
				log := b.log.String()
				assert.Equal(t, 1, strings.Count(log, "cannot export traces"), log)
				assert.Equal(t, 1, strings.Count(log, "traces are exported again"), log)
				assert.Equal(t, 3, strings.Count(log, "\n"), log) // with the line of the start
			})
		})
	}
}

// What the collector refuses for good is dropped at once. The log says what to do.
func TestCollectorRefuses(t *testing.T) {
	t.Parallel()
	for status, hint := range map[int]string{400: "400", 401: "--trace-headers", 404: "--trace-endpoint", 302: "302"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.collector.say(status, nil)
			b.run()
			b.spans(5)
			<-time.After(time.Minute)
			b.end()
			assert.Equal(t, 1, b.collector.asked, "status %d", status)
			assert.Equal(t, 5, b.dropped(droppedRefused))
			assert.Contains(t, b.log.String(), hint)
		})
	}
}

// A collector may refuse part of an export, and may ask to wait.
func TestCollectorAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		partial, err := proto.Marshal(&collector.ExportTraceServiceResponse{
			PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 2},
		})
		require.NoError(t, err)
		first := true
		b.collector.answer = func() (int, http.Header, []byte, error) {
			if first {
				first = false
				return http.StatusServiceUnavailable, http.Header{"Retry-After": {"20"}}, nil, nil
			}
			return http.StatusOK, nil, partial, nil
		}
		b.run()
		b.spans(5)
		<-time.After(gatherFor + 19*time.Second)
		assert.Zero(t, b.exported())
		<-time.After(2 * time.Second)
		assert.Equal(t, 3, b.exported())
		assert.Equal(t, 2, b.dropped(droppedRefused))
		b.end()
	})
}

// Stopping takes no longer than the drain has left, also if the collector hangs.
func TestStopWithoutACollector(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.collector.say(0, errors.New("connection refused"))
		b.run()
		b.spans(7)
		<-time.After(time.Minute / 2)
		began := time.Now()
		b.end()
		assert.LessOrEqual(t, time.Since(began), longestFlush)
		assert.Equal(t, 7, b.dropped(droppedStopped))
		assert.Contains(t, b.log.String(), "the last traces are lost")
	})
}

// A span says what OTLP wants to know.
func TestEncode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		began := time.Now()
		parent := b.tracer.Follow(sampledParent, "parent", Consumer, began, String("a", "b"), Int("n", 7))
		child := parent.Child("child", Client, began.Add(time.Second))
		child.Link(unsampledParent)
		child.Fail("241")
		child.End(began.Add(2 * time.Second))
		parent.End(began.Add(3 * time.Second))
		b.run()
		b.end()
		require.Len(t, b.collector.spans, 2)
		inner, outer := b.collector.spans[0], b.collector.spans[1]
		assert.Equal(t, outer.GetSpanId(), inner.GetParentSpanId())
		assert.Equal(t, outer.GetTraceId(), inner.GetTraceId())
		assert.Equal(t, otlp.Span_SPAN_KIND_CLIENT, inner.GetKind())
		assert.Equal(t, otlp.Span_SPAN_KIND_CONSUMER, outer.GetKind())
		assert.Equal(t, uint64(time.Second), inner.GetEndTimeUnixNano()-inner.GetStartTimeUnixNano())
		assert.Equal(t, otlp.Status_STATUS_CODE_ERROR, inner.GetStatus().GetCode())
		assert.Equal(t, "241", inner.GetAttributes()[0].GetValue().GetStringValue())
		assert.Len(t, inner.GetLinks(), 1)
		assert.Equal(t, "b", outer.GetAttributes()[0].GetValue().GetStringValue())
		assert.EqualValues(t, 7, outer.GetAttributes()[1].GetValue().GetIntValue())
	})
}
