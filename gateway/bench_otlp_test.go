//go:build unix

package gateway

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
)

// otlpBatch returns a request in protobuf with n log records, as an SDK sends them: each has the message and the tag
// of event200 and two times, and one in five a trace id and a span id. All share a scope and a resource with the
// attributes that the recorded clients have.
func otlpBatch(tb testing.TB, n int) string {
	tb.Helper()
	str := func(k, v string) *common.KeyValue { return &common.KeyValue{Key: k, Value: otlpText(v)} }
	scope := &logs.ScopeLogs{Scope: &common.InstrumentationScope{Name: "shop.pay", Version: "1.4.2"}}
	for i := range n {
		var ev struct{ Message string }
		if err := json.Unmarshal([]byte(event200(i)), &ev); err != nil {
			tb.Fatal(err)
		}
		at := 1795839551749000000 + uint64(i)
		r := &logs.LogRecord{
			TimeUnixNano: at, ObservedTimeUnixNano: at, SeverityNumber: 17, SeverityText: "ERROR", Body: otlpText(ev.Message),
			Attributes: []*common.KeyValue{str("region", "eu")},
		}
		if i%5 == 0 {
			r.TraceId, r.SpanId = fmt.Appendf(nil, "%016d", i), fmt.Appendf(nil, "%08d", i)
		}
		scope.LogRecords = append(scope.LogRecords, r)
	}
	return otlpProtobuf(tb, &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		Resource: &resource.Resource{Attributes: []*common.KeyValue{
			str(
				"service.name",
				"shop",
			), str("service.version", "1.4.2"), str("deployment.environment.name", "prod"), str("host.name", "web-1"),
		}},
		ScopeLogs: []*logs.ScopeLogs{scope},
	}}}).body
}

// otlpRecords is the size of a batch of OpenTelemetry's SDKs.
const otlpRecords = 512

// otlp compares batches of log records in protobuf with native bulks of as many events, in events a second.
func (e *edge) otlp(b *testing.B) {
	native := httpRequest(pathBulk, bulkOf(otlpRecords), "")
	body := otlpBatch(b, otlpRecords)
	batch := fmt.Appendf(
		nil,
		"POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		pathOTLPLogs,
		testKey,
		protobufType,
		len(body),
		body,
	)
	rate := func(request []byte, d time.Duration) float64 {
		return otlpRecords * hammer{
			addr:        e.gateway,
			connections: bulkConnections,
			requests:    [][]byte{request},
		}.run(b, d).
			rate()
	}
	pairs(b, true, "ratio", "otlp_events/s", "native_events/s",
		func(d time.Duration) float64 { return rate(batch, d) },
		func(d time.Duration) float64 { return rate(native, d) })
}
