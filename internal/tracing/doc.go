// Package tracing makes spans of sampled work and exports them to an OpenTelemetry collector, by OTLP over HTTP.
//
// A program without --trace-endpoint has a nil *Tracer. All methods of a nil *Tracer and of a nil *Span do nothing, so
// that work that is not traced costs a comparison. The decision to trace is made once, where the work begins; see
// Tracer.Begin. It travels in the traceparent of the Kafka record.
//
// Ending a span never blocks. Ended spans wait in a bounded queue, and a full queue drops the newest. The exporter
// tries again while the collector is away, logs each cause of an outage once, and counts what it drops.
//
// To change the decision read sample.go; what is sent, encode.go; retries and drops, export.go. Attribute names follow
// OpenTelemetry's semantic conventions for HTTP, messaging and databases, where they have one; others begin with
// "sluice.". Attributes never hold what a client sent.
//
// OpenTelemetry's own exporter is not used because it needs gRPC, even for HTTP: 5 MB and 30 packages.
package tracing
