// Command otlp sends log records with OpenTelemetry's exporter over HTTP and protobuf: otlp URL KEY
package main

import (
	"context"
	stdlog "log"
	"os"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/log"
	sdk "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/trace"
)

func main() {
	if len(os.Args) != 3 {
		stdlog.Fatal("usage: otlp URL KEY")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	exporter, err := otlploghttp.New(ctx, otlploghttp.WithEndpointURL(os.Args[1]+"/v1/logs"),
		otlploghttp.WithHeaders(map[string]string{"Authorization": "Bearer " + os.Args[2]}))
	check(err)
	provider := sdk.NewLoggerProvider(sdk.WithProcessor(sdk.NewBatchProcessor(exporter)), sdk.WithResource(resource.NewSchemaless(
		attribute.String("service.name", "shop"), attribute.String("service.version", "1.2.3"),
		attribute.String("deployment.environment.name", "staging"), attribute.String("host.name", "host-1"))))
	logger := provider.Logger("shop.pay", log.WithInstrumentationVersion("0.1.0"))
	ctx = trace.ContextWithSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, SpanID: trace.SpanID{1, 2, 3, 4, 5, 6, 7, 8}, TraceFlags: 1,
	}))

	at := time.UnixMilli(1748779200123)
	logger.Emit(ctx, record(at, log.SeverityInfo, attribute.StringValue("order paid"),
		attribute.String("user.id", "u-1"), attribute.String("user.email", "ann@example.com"), attribute.Int("amount", 12), attribute.Float64("ratio", 1.5), attribute.Bool("ok", true)))
	logger.Emit(ctx, record(at.Add(time.Millisecond), log.SeverityError, attribute.StringValue("payment failed"),
		attribute.String("exception.type", "PayErr"), attribute.String("exception.message", "refused"), attribute.String("exception.stacktrace", "main.pay()\n\tshop.go:10")))
	logger.Emit(ctx, record(at.Add(2*time.Millisecond), log.SeverityFatal2, attribute.MapValue(attribute.String("structured", "body"), attribute.Int("n", 1))))
	logger.Emit(context.Background(), record(at.Add(3*time.Millisecond), log.SeverityTrace2, attribute.StringValue("with bytes"), attribute.ByteSlice("raw", []byte{1, 2, 255})))
	logger.Emit(context.Background(), record(time.Time{}, log.SeverityUndefined, attribute.StringValue("no severity")))
	check(provider.Shutdown(ctx))
}

func record(at time.Time, severity log.Severity, body attribute.Value, attributes ...attribute.KeyValue) (r log.Record) {
	r.SetTimestamp(at)
	r.SetSeverity(severity)
	r.SetBody(body)
	r.AddAttributes(attributes...)
	return r
}

func check(err error) {
	if err != nil {
		stdlog.Fatal(err)
	}
}
