package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Kind is the kind of a span, which tells its place in a trace.
type Kind = trace.SpanKind

// The kinds of spans.
const (
	Internal = trace.SpanKindInternal
	Server   = trace.SpanKindServer
	Client   = trace.SpanKindClient
	Producer = trace.SpanKindProducer
	Consumer = trace.SpanKindConsumer
)

// Attr is one attribute of a span.
type Attr = attribute.KeyValue

// String makes an attribute. The value must not come from a client.
func String(key, value string) Attr { return attribute.String(key, value) }

// Int makes an attribute.
func Int(key string, value int) Attr { return attribute.Int(key, value) }

// Span is sampled work. A nil *Span is work that is not traced: all of its methods do nothing. It is for one goroutine
// at a time.
type Span struct {
	tracer *Tracer
	span   trace.Span
}

// Begin starts a span if the work is to be traced, and returns nil otherwise. traceparent is the valid W3C trace context
// of the work's cause, or "" if it has none: then the work begins a trace.
func (t *Tracer) Begin(traceparent, name string, kind Kind, at time.Time, attrs ...Attr) *Span {
	if t == nil || !t.sampler.wants(traceparent) {
		return nil
	}
	return t.start(contextOf(traceparent), name, kind, at, attrs)
}

// Wants decides whether work is to be traced, as Begin does. Its spans are made later, by Follow and Root.
func (t *Tracer) Wants(traceparent string) bool { return t != nil && t.sampler.wants(traceparent) }

// Follow starts a span of work that Wants has chosen.
func (t *Tracer) Follow(traceparent, name string, kind Kind, at time.Time, attrs ...Attr) *Span {
	return t.start(contextOf(traceparent), name, kind, at, attrs)
}

// Root starts a span that begins a trace, whatever the sampling.
func (t *Tracer) Root(name string, kind Kind, at time.Time, attrs ...Attr) *Span {
	return t.start(trace.SpanContext{}, name, kind, at, attrs)
}

func (t *Tracer) start(parent trace.SpanContext, name string, kind Kind, at time.Time, attrs []Attr) *Span {
	ctx := trace.ContextWithRemoteSpanContext(context.Background(), parent)
	_, span := t.otel.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(at), trace.WithAttributes(attrs...))
	return &Span{tracer: t, span: span}
}

// Child starts a span of a part of the work.
func (s *Span) Child(name string, kind Kind, at time.Time, attrs ...Attr) *Span {
	if s == nil {
		return nil
	}
	ctx := trace.ContextWithSpanContext(context.Background(), s.span.SpanContext())
	_, span := s.tracer.otel.Start(ctx, name, trace.WithSpanKind(kind), trace.WithTimestamp(at),
		trace.WithAttributes(attrs...))
	return &Span{tracer: s.tracer, span: span}
}

// Traceparent returns the W3C trace context that makes other work a child of the span; "" for nil.
func (s *Span) Traceparent() string {
	if s == nil {
		return ""
	}
	c := s.span.SpanContext()
	return "00-" + c.TraceID().String() + "-" + c.SpanID().String() + "-01"
}

// Name replaces the span's name, for spans whose name costs something to make.
func (s *Span) Name(name string) {
	if s != nil {
		s.span.SetName(name)
	}
}

// Link refers to a span of another trace by its traceparent.
func (s *Span) Link(traceparent string) {
	if s != nil {
		s.span.AddLink(trace.Link{SpanContext: contextOf(traceparent)})
	}
}

// Set sets attributes.
func (s *Span) Set(attrs ...Attr) {
	if s != nil {
		s.span.SetAttributes(attrs...)
	}
}

// Fail says that the work failed. kind is a word or a number from a closed set.
func (s *Span) Fail(kind string) {
	if s != nil {
		s.span.SetStatus(codes.Error, kind)
		s.span.SetAttributes(attribute.String("error.type", kind))
	}
}

// End ends the span. Nothing may be done with it afterwards.
func (s *Span) End(at time.Time) {
	if s != nil {
		s.span.End(trace.WithTimestamp(at))
	}
}
