package tracing

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	spans "go.opentelemetry.io/proto/slim/otlp/trace/v1"
)

// encode makes an export request of spans of one process.
func encode(batch []sdk.ReadOnlySpan) *collector.ExportTraceServiceRequest {
	scope := &spans.ScopeSpans{Scope: &common.InstrumentationScope{Name: "sluice"}}
	for _, s := range batch {
		scope.Spans = append(scope.Spans, encodeSpan(s))
	}
	about := &resource.Resource{}
	if len(batch) > 0 {
		about.Attributes = encodeAttributes(batch[0].Resource().Attributes())
	}
	return &collector.ExportTraceServiceRequest{
		ResourceSpans: []*spans.ResourceSpans{{Resource: about, ScopeSpans: []*spans.ScopeSpans{scope}}},
	}
}

func encodeSpan(s sdk.ReadOnlySpan) *spans.Span {
	trace, id := s.SpanContext().TraceID(), s.SpanContext().SpanID()
	out := &spans.Span{
		TraceId: trace[:], SpanId: id[:], Name: s.Name(), Kind: spans.Span_SpanKind(s.SpanKind()),
		StartTimeUnixNano: uint64(max(0, s.StartTime().UnixNano())),
		EndTimeUnixNano:   uint64(max(0, s.EndTime().UnixNano())),
		Attributes:        encodeAttributes(s.Attributes()),
		Status:            &spans.Status{},
		Flags:             uint32(s.SpanContext().TraceFlags()),
		DroppedLinksCount: uint32(s.DroppedLinks()),
	}
	if parent := s.Parent().SpanID(); parent.IsValid() {
		out.ParentSpanId = parent[:]
	}
	if s.Status().Code == codes.Error {
		out.Status = &spans.Status{Code: spans.Status_STATUS_CODE_ERROR, Message: s.Status().Description}
	}
	for _, l := range s.Links() {
		trace, id := l.SpanContext.TraceID(), l.SpanContext.SpanID()
		out.Links = append(out.Links, &spans.Span_Link{
			TraceId: trace[:], SpanId: id[:], Flags: uint32(l.SpanContext.TraceFlags()),
		})
	}
	return out
}

func encodeAttributes(attrs []attribute.KeyValue) []*common.KeyValue {
	out := make([]*common.KeyValue, 0, len(attrs))
	for _, a := range attrs {
		out = append(out, &common.KeyValue{Key: string(a.Key), Value: encodeValue(a.Value)})
	}
	return out
}

// encodeValue encodes the types that this package's attributes have. Others, which a resource from the environment
// cannot have, become text.
func encodeValue(v attribute.Value) *common.AnyValue {
	switch v.Type() {
	case attribute.INT64:
		return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: v.AsInt64()}}
	case attribute.BOOL:
		return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: v.AsBool()}}
	default:
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v.String()}}
	}
}
