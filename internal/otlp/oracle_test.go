package otlp_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
)

// object is a JSON object. Members that are nil are left out.
type object map[string]any

func (o object) with(name string, value any, given bool) object {
	if given {
		o[name] = value
	}
	return o
}

// itemsOf makes the items of a request of its messages, as the generated types have them.
func itemsOf(request *logs.LogsData) (items []object) {
	for _, rl := range request.ResourceLogs {
		for _, sl := range rl.ScopeLogs {
			for _, r := range sl.LogRecords {
				item := object{"logRecord": recordOf(r)}
				item.with("resource", resourceOf(rl.Resource), rl.Resource != nil)
				item.with("resourceSchemaUrl", rl.SchemaUrl, rl.SchemaUrl != "")
				item.with("scope", scopeOf(sl.Scope), sl.Scope != nil)
				item.with("scopeSchemaUrl", sl.SchemaUrl, sl.SchemaUrl != "")
				items = append(items, item)
			}
		}
	}
	return items
}

func recordOf(r *logs.LogRecord) object {
	o := object{}
	o.with("timeUnixNano", strconv.FormatUint(r.TimeUnixNano, 10), r.TimeUnixNano != 0)
	o.with("observedTimeUnixNano", strconv.FormatUint(r.ObservedTimeUnixNano, 10), r.ObservedTimeUnixNano != 0)
	o.with("severityNumber", int32(r.SeverityNumber), r.SeverityNumber != 0)
	o.with("severityText", r.SeverityText, r.SeverityText != "")
	o.with("body", valueOf(r.Body), r.Body != nil)
	o.with("attributes", pairsOf(r.Attributes), len(r.Attributes) > 0)
	o.with("droppedAttributesCount", r.DroppedAttributesCount, r.DroppedAttributesCount != 0)
	o.with("flags", r.Flags, r.Flags != 0)
	o.with("traceId", hex.EncodeToString(r.TraceId), len(r.TraceId) > 0)
	o.with("spanId", hex.EncodeToString(r.SpanId), len(r.SpanId) > 0)
	return o.with("eventName", r.EventName, r.EventName != "")
}

func resourceOf(r *resource.Resource) object {
	o := object{}
	o.with("attributes", pairsOf(r.GetAttributes()), len(r.GetAttributes()) > 0)
	o.with("droppedAttributesCount", r.GetDroppedAttributesCount(), r.GetDroppedAttributesCount() != 0)
	entities := []object{}
	for _, e := range r.GetEntityRefs() {
		entity := object{}
		entity.with("schemaUrl", e.SchemaUrl, e.SchemaUrl != "").with("type", e.Type, e.Type != "")
		entity.with("idKeys", e.IdKeys, len(e.IdKeys) > 0)
		entities = append(entities, entity.with("descriptionKeys", e.DescriptionKeys, len(e.DescriptionKeys) > 0))
	}
	return o.with("entityRefs", entities, len(entities) > 0)
}

func scopeOf(s *common.InstrumentationScope) object {
	o := object{}
	o.with("name", s.GetName(), s.GetName() != "").with("version", s.GetVersion(), s.GetVersion() != "")
	o.with("attributes", pairsOf(s.GetAttributes()), len(s.GetAttributes()) > 0)
	return o.with("droppedAttributesCount", s.GetDroppedAttributesCount(), s.GetDroppedAttributesCount() != 0)
}

func pairsOf(pairs []*common.KeyValue) []object {
	list := []object{}
	for _, p := range pairs {
		o := object{}
		list = append(list, o.with("key", p.Key, p.Key != "").with("value", valueOf(p.Value), p.Value != nil))
	}
	return list
}

func valueOf(v *common.AnyValue) object {
	switch v := v.GetValue().(type) {
	case *common.AnyValue_StringValue:
		return object{"stringValue": v.StringValue}
	case *common.AnyValue_BoolValue:
		return object{"boolValue": v.BoolValue}
	case *common.AnyValue_IntValue:
		return object{"intValue": strconv.FormatInt(v.IntValue, 10)}
	case *common.AnyValue_DoubleValue:
		return object{"doubleValue": doubleOf(v.DoubleValue)}
	case *common.AnyValue_BytesValue:
		return object{"bytesValue": base64.StdEncoding.EncodeToString(v.BytesValue)}
	case *common.AnyValue_ArrayValue:
		values := []object{}
		for _, item := range v.ArrayValue.GetValues() {
			values = append(values, valueOf(item))
		}
		return object{"arrayValue": object{}.with("values", values, len(values) > 0)}
	case *common.AnyValue_KvlistValue:
		values := pairsOf(v.KvlistValue.GetValues())
		return object{"kvlistValue": object{}.with("values", values, len(values) > 0)}
	}
	return object{}
}

func doubleOf(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return f
}

// text returns an item's JSON.
func (o object) text() []byte {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return text
}
