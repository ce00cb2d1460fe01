//go:build unix

package gateway

import (
	"fmt"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"

	"encoding/json"
)

// otlpBatch returns a request in protobuf with n log records, as an SDK sends them: each has the message and the tag of
// event200, a time, a trace id and a span id. All share a resource of seven attributes and a scope.
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
		scope.LogRecords = append(scope.LogRecords, &logs.LogRecord{
			TimeUnixNano: at, ObservedTimeUnixNano: at, SeverityNumber: 17, SeverityText: "ERROR", Body: otlpText(ev.Message),
			TraceId: fmt.Appendf(nil, "%016d", i), SpanId: fmt.Appendf(nil, "%08d", i), Attributes: []*common.KeyValue{str("region", "eu")},
		})
	}
	return otlpProtobuf(tb, &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		Resource: &resource.Resource{Attributes: []*common.KeyValue{
			str("service.name", "shop"), str("service.version", "1.4.2"), str("deployment.environment.name", "prod"), str("host.name", "web-1"),
			str("telemetry.sdk.language", "go"), str("telemetry.sdk.name", "opentelemetry"), str("telemetry.sdk.version", "1.47.0"),
		}},
		ScopeLogs: []*logs.ScopeLogs{scope},
	}}}).body
}

// otlp compares batches of 512 log records in protobuf with native bulks, in events a second.
func (e *edge) otlp(b *testing.B) {
	native := httpRequest(pathBulk, bulkOf(1000), "")
	body := otlpBatch(b, 512)
	batch := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		pathOTLPLogs, testKey, protobufType, len(body), body)
	pairs(b, true, "ratio", "otlp_events/s", "native_events/s",
		func(d time.Duration) float64 {
			return 512 * hammer{addr: e.gateway, connections: bulkConnections, requests: [][]byte{batch}}.run(b, d).rate()
		},
		func(d time.Duration) float64 { return e.bulkRate(b, native, d) })
}
