package gateway

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"

	"sluice/internal/event"
	"sluice/internal/format"
)

var formats = format.All()

// TestOTLPRecords: the records over the limit are rejected by partial success, without memory for each.
func TestOTLPRecords(t *testing.T) {
	t.Parallel()
	s := serve(t, func(c *Config, _ *Deps) { c.RequestTimeout = time.Minute })
	for n, rejected := range map[int]int{9_999: 0, 10_000: 0, 10_001: 1, 12_000: 2_000} {
		for encoding, r := range otlpBoth(t, make([]string, n)...) {
			before := len(s.producer.Stored())
			got, a := s.otlp(r)
			require.Equal(t, 200, got.status, "%d in %s", n, encoding)
			assert.Equal(t, rejected, a.rejected)
			assert.Equal(t, n-rejected, len(s.producer.Stored())-before)
			if rejected > 0 {
				assert.Contains(t, a.message, "max_bulk_events, which is 10000 events")
			}
		}
	}
	many := request{path: pathOTLPLogs, header: map[string]string{"Content-Type": protobufType}}
	many.body = strings.Repeat("\x0a\x04\x12\x02\x12\x00", 800_000) // each a request with one empty record
	got, a := s.otlp(many)
	assert.Equal(t, 200, got.status)
	assert.Equal(t, 790_000, a.rejected)
	assert.InDelta(t, 2*(1+2_000)+790_000, s.counter("sluice_gateway_events_rejected_total", "too_large"), 0)
}

// TestOTLPItemSize: an item, which is a record with its resource and its scope, has the size limit of an event.
func TestOTLPItemSize(t *testing.T) {
	t.Parallel()
	const limit = 2000
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes = limit })
	frame := len(
		`{"resource":{"attributes":[{"key":"k","value":{"stringValue":""}}]},"logRecord":{"body":{"stringValue":"ab"}}}`,
	)
	for off, want := range map[int]int{-1: 0, 0: 0, 1: 1} {
		of := otlpMessages("ab", "")
		of.ResourceLogs[0].Resource = manyRecords(0, limit-frame+off).ResourceLogs[0].Resource
		body := `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"ab"}},{}]}],` +
			`"resource":{"attributes":[{"key":"k","value":{"stringValue":"` + strings.Repeat("r", limit-frame+off) + `"}}]}}]}`
		for encoding, r := range map[string]request{"protobuf": otlpProtobuf(t, of), "json": {path: pathOTLPLogs, body: body}} {
			before := len(s.producer.Stored())
			got, a := s.otlp(r)
			assert.Equal(t, 200, got.status)
			assert.Equal(t, want, a.rejected, "%s %+d", encoding, off)
			if want == 0 {
				assert.Equal(t, limit+off, len(s.producer.Stored()[before].Value))
			}
		}
	}
}

// TestOTLPBodySize: the body has the size limit of a bulk.
func TestOTLPBodySize(t *testing.T) {
	t.Parallel()
	const limit = 3000
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes = limit, limit })
	for off, status := range map[int]int{-1: 200, 0: 200, 1: 413} {
		for encoding, r := range otlpBoth(t, strings.Repeat("a", limit/2), "") {
			around := len(r.body) - limit/2
			r = otlpBoth(t, strings.Repeat("a", limit/2), strings.Repeat("b", limit/2-around+off))[encoding]
			for len(r.body) > limit+off { // protobuf's lengths have one byte or two
				around++
				r = otlpBoth(t, strings.Repeat("a", limit/2), strings.Repeat("b", limit/2-around+off))[encoding]
			}
			got, _ := s.otlp(r)
			assert.Equal(t, status, got.status, "%s %d", encoding, len(r.body))
		}
	}
}

// TestOTLPSharedResource: a large resource does not become a copy for each of its records without a bound. The records
// that are too much together are rejected, and the memory is given back.
func TestOTLPSharedResource(t *testing.T) {
	t.Parallel()
	const bulk = 100_000
	s := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes, c.MaxBodyBytes = bulk, bulk, 100*bulk })
	const resourceBytes = 50_000
	item := len(
		fmt.Sprintf(
			`{"resource":{"attributes":[{"key":"k","value":{"stringValue":"%s"}}]},"logRecord":{"body":{"stringValue":""}}}`,
			strings.Repeat("r", resourceBytes),
		),
	)
	fit := 8 * bulk / item
	for _, n := range []int{fit - 1, fit, fit + 1, 1000} {
		body := `{"resourceLogs":[{"resource":{"attributes":[{"key":"k","value":{"stringValue":"` + strings.Repeat(
			"r",
			resourceBytes,
		) +
			`"}}]},"scopeLogs":[{"logRecords":[` + strings.TrimSuffix(
			strings.Repeat(`{"body":{"stringValue":""}},`, n),
			",",
		) + `]}]}]}`
		for encoding, r := range map[string]request{"protobuf": otlpProtobuf(t, manyRecords(n, resourceBytes)), "json": {path: pathOTLPLogs, body: body}} {
			before := len(s.producer.Stored())
			got, a := s.otlp(r)
			require.Equal(t, 200, got.status, encoding)
			assert.Equal(t, max(0, n-fit), a.rejected, encoding)
			assert.Equal(t, min(n, fit), len(s.producer.Stored())-before)
			if a.rejected > 0 {
				assert.Contains(t, a.message, "max_request_bytes, which is 800000 bytes")
			}
		}
	}
	assert.Zero(t, s.ingesterBytes())
	// What is made counts against the memory for all bodies: here there is not enough for it.
	tight := serve(t, func(c *Config, _ *Deps) { c.MaxEventBytes, c.MaxBulkBytes, c.MaxBodyBytes = bulk, bulk, 4*bulk })
	texts := make([]string, 6)
	for i := range texts {
		texts[i] = strings.Repeat("\x01", 15_000) // six bytes each in JSON
	}
	control := otlpProtobuf(t, otlpMessages(texts...))
	got, a := tight.otlp(control)
	assert.Equal(t, 503, got.status)
	assert.Equal(t, 14, a.code)
	assert.Zero(t, tight.ingesterBytes())
	got, _ = tight.otlp(otlpProtobuf(t, otlpMessages("a")))
	assert.Equal(t, 200, got.status)
}

func (s *served) ingesterBytes() int64 { return s.server.ingester.BodyBytes() }

// TestOTLPBothEncodings: the same logs in protobuf and in the OTLP JSON encoding make equal columns.
func TestOTLPBothEncodings(t *testing.T) {
	t.Parallel()
	s := serve(t)
	str, kv := otlpText, func(k string, v *common.AnyValue) *common.KeyValue { return &common.KeyValue{Key: k, Value: v} }
	list := &common.AnyValue{
		Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: []*common.AnyValue{
			str(
				"a\"é",
			), {Value: &common.AnyValue_IntValue{IntValue: -5}}, {Value: &common.AnyValue_DoubleValue{DoubleValue: 1e-7}}, {},
			{
				Value: &common.AnyValue_BytesValue{BytesValue: []byte{1, 2, 255}},
			}, {Value: &common.AnyValue_BoolValue{BoolValue: true}},
		}}},
	}
	pairs := &common.AnyValue{
		Value: &common.AnyValue_KvlistValue{
			KvlistValue: &common.KeyValueList{Values: []*common.KeyValue{kv("l", list), kv("n", nil)}},
		},
	}
	of := &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		Resource: &resource.Resource{Attributes: []*common.KeyValue{
			kv(
				"service.name",
				str("shop"),
			), kv("service.version", str("1.2.3")), kv("host.name", str("web-1")), kv("other", str("x")),
			kv(
				"deployment.environment.name",
				str("staging"),
			), kv("telemetry.sdk.name", str("otel")), kv("telemetry.sdk.version", str("2")),
		}},
		ScopeLogs: []*logs.ScopeLogs{{
			Scope: &common.InstrumentationScope{Name: "shop.pay", Version: "0.1"},
			LogRecords: []*logs.LogRecord{{
				TimeUnixNano: 1795839551749123456, SeverityNumber: 17, Body: pairs, TraceId: []byte("0123456789abcdef"),
				Attributes: []*common.KeyValue{
					kv("exception.type", str("E")),
					kv("exception.message", str("m")),
					kv("user.id", str("7")),
					kv("user.email", str("a@b")),
					kv("list", list),
					kv("exception.stacktrace", str("at x")),
				},
			}},
		}},
	}}}
	const inJSON = `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}},
		{"key":"service.version","value":{"stringValue":"1.2.3"}},{"value":{"stringValue":"web-1"},"key":"host.name"},{"key":"other","value":{"stringValue":"x"}},
		{"key":"deployment.environment.name","value":{"stringValue":"staging"}},{"key":"telemetry.sdk.name","value":{"stringValue":"otel"}},
		{"key":"telemetry.sdk.version","value":{"stringValue":"2"}}]},"scopeLogs":[{"scope":{"name":"shop.pay","version":"0.1"},"logRecords":[
		{"timeUnixNano":1795839551749123456,"severityNumber":17,"traceId":"30313233343536373839616263646566","body":{"kvlistValue":{"values":[
			{"value":LIST,"key":"l"},{"key":"n"}]}},"attributes":[{"key":"exception.type","value":{"stringValue":"E"}},
			{"key":"exception.message","value":{"stringValue":"m"}},{"key":"user.id","value":{"stringValue":"7"}},{"key":"user.email","value":{"stringValue":"a@b"}},
			{"key":"list","value":LIST},{"key":"exception.stacktrace","value":{"stringValue":"at x"}}]}]}]}]}`
	const listInJSON = `{"arrayValue":{"values":[{"stringValue":"a\"é"},{"intValue":-5},{"doubleValue":1e-7},{},{"bytesValue":"AQL/"},{"boolValue":true}]}}`
	got, _ := s.otlp(otlpProtobuf(t, of))
	require.Equal(t, 200, got.status)
	got, _ = s.otlp(request{path: pathOTLPLogs, body: strings.ReplaceAll(inJSON, "LIST", listInJSON)})
	require.Equal(t, 200, got.status, got.text)
	stored := s.producer.Stored()
	require.Len(t, stored, 2)
	columns := func(i int) map[string]any {
		var ev event.Event
		_, err := event.DecodeRecord(&event.Decoder{Formats: formats}, stored[i].Value, stored[i].Headers, 1<<20, &ev)
		require.NoError(t, err)
		at, _ := ev.Timestamp.Time()
		tags := map[string]string{}
		for _, tag := range ev.Tags {
			tags[tag.Key.String()] = tag.Value.String()
		}
		return map[string]any{
			"message": ev.MessageText(), "level": ev.Level.String(), "at": at, "tags": tags, "type": ev.Exception.Type.String(),
			"value": ev.Exception.Value.String(), "environment": ev.Environment.String(), "release": ev.Release.String(),
			"server": ev.ServerName.String(), "trace": ev.TraceID.String(), "user": ev.UserID.String(), "email": ev.UserEmail.String(),
			"sdk": ev.SDK.Name.String() + " " + ev.SDK.Version.String(),
		}
	}
	assert.Equal(t, columns(0), columns(1))
	assert.True(t, json.Valid([]byte(columns(0)["message"].(string))))
	assert.Equal(t, `{"l":["a\"é",-5,1e-7,null,"AQL/",true],"n":null}`, columns(0)["message"])
}
