package otlp_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"sluice/internal/otlp"
)

// batch returns a request of n records, as an SDK sends it.
func batch(tb testing.TB, n int) []byte {
	tb.Helper()
	str := func(k, v string) *common.KeyValue {
		return &common.KeyValue{Key: k, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: v}}}
	}
	scope := &logs.ScopeLogs{Scope: &common.InstrumentationScope{Name: "shop.pay", Version: "1.4.2"}}
	for i := range n {
		scope.LogRecords = append(scope.LogRecords, &logs.LogRecord{
			TimeUnixNano: 1795839551749000000 + uint64(i), ObservedTimeUnixNano: 1795839551749000000 + uint64(i),
			SeverityNumber: logs.SeverityNumber_SEVERITY_NUMBER_ERROR, SeverityText: "ERROR",
			Body:    str("", fmt.Sprintf("upstream timeout %d: connection reset, retry queue order %d", i, 7*i)).Value,
			TraceId: fmt.Appendf(nil, "%016d", i), SpanId: fmt.Appendf(nil, "%08d", i),
			Attributes: []*common.KeyValue{str("region", "eu"), str("http.route", "/pay")},
		})
	}
	request, err := proto.Marshal(&logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		Resource: &resource.Resource{Attributes: []*common.KeyValue{
			str("service.name", "shop"), str("service.version", "1.4.2"), str("deployment.environment.name", "prod"),
			str("host.name", "web-1"), str("telemetry.sdk.language", "go"), str("telemetry.sdk.name", "opentelemetry"),
			str("telemetry.sdk.version", "1.47.0"),
		}},
		ScopeLogs: []*logs.ScopeLogs{scope},
	}}})
	require.NoError(tb, err)
	return request
}

// BenchmarkDecode makes the JSON of a batch of 512 records.
func BenchmarkDecode(b *testing.B) {
	request := batch(b, 512)
	d := otlp.Decoder{MostBytes: 1 << 20, MostRecords: 10_000}
	var made bytes.Buffer
	b.SetBytes(int64(len(request)))
	b.ReportAllocs()
	for b.Loop() {
		made.Reset()
		if err := d.Decode(request, &made); err != nil || len(d.Records) != 512 {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeLibrary only unmarshals the same batch with the generated types, without any JSON.
func BenchmarkDecodeLibrary(b *testing.B) {
	request := batch(b, 512)
	b.SetBytes(int64(len(request)))
	b.ReportAllocs()
	for b.Loop() {
		var messages logs.LogsData
		if err := proto.Unmarshal(request, &messages); err != nil {
			b.Fatal(err)
		}
	}
}
