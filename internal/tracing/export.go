package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"sluice/internal/backoff"
	"sluice/internal/causes"
)

const (
	// batchSpans is how many spans one export has at most.
	batchSpans = 512
	// gatherFor is how long spans wait for others before they are exported.
	gatherFor = time.Second
	// exportTimeout bounds one request to the collector.
	exportTimeout = 10 * time.Second
	// giveUpAfter is how long one export is tried.
	giveUpAfter = time.Minute
	// longestRetryAfter bounds the wait that a collector may ask for.
	longestRetryAfter = 30 * time.Second
	// portOfGRPC is in the URL of those who took the wrong one of a collector's two ports.
	portOfGRPC = ":4317/"
	// mostAnswer is how much of a collector's answer is read, in bytes.
	mostAnswer = 64 << 10
)

// exporter posts spans to the collector. One goroutine uses it at a time.
type exporter struct {
	url     string
	headers func() (http.Header, error)
	client  *http.Client
	metrics *metrics
	log     *slog.Logger

	batch  []sdk.ReadOnlySpan
	outage causes.Log // since the last export that was taken
	lost   int        // spans dropped here since then
}

func newExporter(url string, headers func() (http.Header, error), m *metrics, log *slog.Logger) *exporter {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck,forcetypeassert // it is one
	return &exporter{
		url: url, headers: headers, metrics: m, log: log,
		client: &http.Client{
			Transport: transport, Timeout: exportTimeout,
			// A redirect would take the headers, which hold secrets, elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// run exports the queue's spans until ctx ends. What is not exported then stays in the batch and in the queue.
func (e *exporter) run(ctx context.Context, q *queue) {
	e.log.Info("traces are exported", "to", e.url)
	for {
		select {
		case s := <-q.spans:
			e.batch = append(e.batch, s)
		case <-ctx.Done():
			return
		}
		backoff.Sleep(ctx, gatherFor)
		for {
			e.batch = q.take(e.batch, batchSpans)
			full := len(e.batch) == batchSpans
			if !e.export(ctx) {
				return
			}
			if !full {
				break
			}
		}
	}
}

// export posts the batch until the collector has taken or refused it, or for giveUpAfter. It returns false if ctx ended,
// and keeps the batch.
func (e *exporter) export(ctx context.Context) bool {
	var pause backoff.Backoff
	for began := time.Now(); ; {
		err := e.post(ctx)
		var status *statusError
		switch {
		case ctx.Err() != nil && err != nil:
			return false
		case err == nil:
			e.recovered()
			e.empty()
			return true
		case errors.As(err, &status) && !status.retryable():
			e.failed(err)
			e.drop(droppedRefused)
			return true
		case time.Since(began) > giveUpAfter:
			e.failed(err)
			e.drop(droppedUnreachable)
			return true
		}
		e.failed(err)
		if status != nil && status.after > 0 {
			backoff.Sleep(ctx, status.after)
		} else {
			pause.Wait(ctx)
		}
		if ctx.Err() != nil {
			return false
		}
	}
}

// flush exports what is left, for at most a time. What the collector does not take then is dropped.
func (e *exporter) flush(q *queue, most time.Duration) {
	defer e.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	for {
		if e.batch = q.take(e.batch, batchSpans); len(e.batch) == 0 {
			return
		}
		if err := e.post(ctx); err != nil {
			lost := len(e.batch) + len(q.spans)
			e.metrics.drop(droppedStopped, lost)
			e.log.Warn("the last traces are lost: the collector did not take them", "spans", lost, "err", err)
			return
		}
		e.empty()
	}
}

// failed logs each cause of an outage once.
func (e *exporter) failed(err error) {
	if e.outage.Note(causes.Of(0, err)) {
		attrs := []any{"to", e.url, "err", err}
		if strings.Contains(e.url, portOfGRPC) {
			attrs = append(attrs, "hint", "port 4317 is usually that of OTLP over gRPC; OTLP over HTTP has port 4318")
		}
		e.log.Warn("cannot export traces; events are not affected", attrs...)
	}
}

// recovered logs that an outage is over.
func (e *exporter) recovered() {
	if e.outage.Tries() > 0 {
		e.log.Info("traces are exported again", "tries", e.outage.Tries(), "spans_dropped", e.lost)
	}
	e.outage, e.lost = causes.Log{}, 0
}

func (e *exporter) drop(reason string) {
	e.metrics.drop(reason, len(e.batch))
	e.lost += len(e.batch)
	e.empty()
}

func (e *exporter) empty() {
	clear(e.batch)
	e.batch = e.batch[:0]
}

// post sends the batch once.
func (e *exporter) post(ctx context.Context) error {
	body, err := proto.Marshal(encode(e.batch))
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	headers, err := e.headers()
	if err != nil {
		return fmt.Errorf("--trace-headers-file: %w", err)
	}
	request.Header = headers
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("User-Agent", "sluice")
	response, err := e.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return fmt.Errorf("read the collector's answer: %w", err)
	}
	if response.StatusCode/100 != 2 {
		return newStatusError(response)
	}
	e.taken(answer)
	return nil
}

// taken counts the batch. The collector may have refused part of it.
func (e *exporter) taken(answer []byte) {
	var reply collector.ExportTraceServiceResponse
	refused := 0
	if proto.Unmarshal(answer, &reply) == nil {
		refused = int(min(max(0, reply.GetPartialSuccess().GetRejectedSpans()), int64(len(e.batch))))
	}
	e.metrics.exported.Add(float64(len(e.batch) - refused))
	if refused > 0 {
		e.metrics.drop(droppedRefused, refused)
		e.lost += refused
	}
}

// statusError is an answer that is not 2xx.
type statusError struct {
	status int
	after  time.Duration // that the collector asks to wait; 0: it does not say
}

func newStatusError(r *http.Response) *statusError {
	e := &statusError{status: r.StatusCode}
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.after = min(time.Duration(min(seconds, 3600))*time.Second, longestRetryAfter)
	}
	return e
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("the collector answered %d %s", e.status, http.StatusText(e.status))
	switch e.status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		text += ": check the path of --trace-endpoint"
	case http.StatusUnauthorized, http.StatusForbidden:
		text += ": check --trace-headers"
	}
	return text
}

// retryable reports whether OTLP asks clients to send the request again.
func (e *statusError) retryable() bool {
	switch e.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}
