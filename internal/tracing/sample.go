package tracing

import (
	"math/rand/v2"

	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"sluice/internal/event"
)

// sampler decides what is traced. It is safe for concurrent use.
type sampler struct {
	share float64
	most  *rate.Limiter // of all traces that begin here
}

func newSampler(cfg Config) sampler {
	return sampler{share: cfg.Sample, most: rate.NewLimiter(rate.Limit(cfg.PerSecond), cfg.PerSecond)}
}

// wants decides for work with a valid traceparent, or with none. The sampled flag decides if there is one, as in
// OpenTelemetry's parent-based samplers: a trace has all of its spans or none. Strangers set the flag, so it counts
// within the bound on all traces.
func (s *sampler) wants(traceparent string) bool {
	if traceparent != "" {
		return Sampled(traceparent) && s.most.Allow()
	}
	return s.share > 0 && rand.Float64() < s.share && s.most.Allow()
}

// Parts of a traceparent of version 00: 00-<trace id>-<span id>-<flags>.
const (
	traceIDAt = 3
	spanIDAt  = 36
	flagsAt   = 53
)

// Sampled reports whether a traceparent is valid and its sampled flag is set.
func Sampled(traceparent string) bool {
	return event.ValidTraceparent(traceparent) && isSampled(traceparent)
}

// isSampled reads the lowest bit of the flags.
func isSampled(traceparent string) bool {
	c := traceparent[flagsAt+1]
	if c >= 'a' {
		c -= 'a' - 10
	}
	return c&1 == 1
}

// NotSampled returns a valid traceparent, or "", without its sampled flag.
func NotSampled(traceparent string) string {
	if !Sampled(traceparent) {
		return traceparent
	}
	return traceparent[:flagsAt] + "00"
}

// contextOf returns the span that a valid traceparent names; the zero value if it is not valid.
func contextOf(traceparent string) trace.SpanContext {
	if !event.ValidTraceparent(traceparent) {
		return trace.SpanContext{}
	}
	cfg := trace.SpanContextConfig{Remote: true}
	cfg.TraceID, _ = trace.TraceIDFromHex(traceparent[traceIDAt : traceIDAt+32]) // the form was checked
	cfg.SpanID, _ = trace.SpanIDFromHex(traceparent[spanIDAt : spanIDAt+16])
	if isSampled(traceparent) {
		cfg.TraceFlags = trace.FlagsSampled
	}
	return trace.NewSpanContext(cfg)
}
