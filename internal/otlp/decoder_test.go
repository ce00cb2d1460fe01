package otlp_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logs "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"sluice/internal/otlp"
)

// msg is a message on the wire in the making.
type msg []byte

func (m msg) num(field int, v uint64) msg {
	return protowire.AppendVarint(protowire.AppendTag(m, protowire.Number(field), protowire.VarintType), v)
}

func (m msg) f64(field int, v uint64) msg {
	return protowire.AppendFixed64(protowire.AppendTag(m, protowire.Number(field), protowire.Fixed64Type), v)
}

func (m msg) str(field int, s string) msg {
	return protowire.AppendString(protowire.AppendTag(m, protowire.Number(field), protowire.BytesType), s)
}

func (m msg) sub(field int, of msg) msg { return m.str(field, string(of)) }

func (m msg) group(field int, of msg) msg {
	m = append(protowire.AppendTag(m, protowire.Number(field), protowire.StartGroupType), of...)
	return protowire.AppendTag(m, protowire.Number(field), protowire.EndGroupType)
}

func text(s string) msg { return msg{}.str(1, s) }

func pair(key string, value msg) msg { return msg{}.str(1, key).sub(2, value) }

// request returns a request of one log record.
func request(record msg) msg { return msg{}.sub(1, msg{}.sub(2, msg{}.sub(2, record))) }

// decode returns the items of a request. A record without one is its fault.
func decode(t *testing.T, d *otlp.Decoder, b []byte) []string {
	t.Helper()
	if d.MostBytes == 0 {
		d.MostBytes, d.MostRecords = 1<<20, 10_000
	}
	var made bytes.Buffer
	require.NoError(t, d.Decode(b, &made))
	items := []string{}
	for _, r := range d.Records {
		switch r.Fault {
		case 0:
			items = append(items, string(itemOf(r, made.Bytes())))
		case otlp.TooLarge:
			items = append(items, "too large")
		case otlp.TooDeep:
			items = append(items, "too deep")
		}
	}
	return items
}

// TestJSON: the JSON of a record, byte for byte, because ids are made of it.
func TestJSON(t *testing.T) {
	t.Parallel()
	list := msg{}.sub(5, msg{}.sub(1, text("a")).sub(1, msg{}.num(3, 2)).sub(1, msg{}))
	for name, c := range map[string]struct {
		record msg
		json   string
	}{
		"nothing":  {nil, `{}`},
		"time":     {msg{}.f64(1, math.MaxUint64), `{"timeUnixNano":"18446744073709551615"}`},
		"order":    {msg{}.str(12, "e").f64(11, 2).f64(1, 1), `{"timeUnixNano":"1","observedTimeUnixNano":"2","eventName":"e"}`},
		"severity": {msg{}.num(2, 9).str(3, "INFO"), `{"severityNumber":9,"severityText":"INFO"}`},
		"negative": {msg{}.num(2, math.MaxUint64), `{"severityNumber":-1}`},
		"no body":  {msg{}.sub(5, nil), `{"body":{}}`},
		"string":   {msg{}.sub(5, text("a\"\\\n\x01é\u2028</")), `{"body":{"stringValue":"a\"\\\n\u0001é` + "\u2028" + `</"}}`},
		"utf-8":    {msg{}.sub(5, text("a\xffb\xc3")), `{"body":{"stringValue":"a�b�"}}`},
		"bool":     {msg{}.sub(5, msg{}.num(2, 0)), `{"body":{"boolValue":false}}`},
		"int":      {msg{}.sub(5, msg{}.num(3, 1<<63)), `{"body":{"intValue":"-9223372036854775808"}}`},
		"double":   {msg{}.sub(5, msg{}.f64(4, math.Float64bits(1e21))), `{"body":{"doubleValue":1e+21}}`},
		"small":    {msg{}.sub(5, msg{}.f64(4, math.Float64bits(1e-9))), `{"body":{"doubleValue":1e-9}}`},
		"nan":      {msg{}.sub(5, msg{}.f64(4, math.Float64bits(math.NaN()))), `{"body":{"doubleValue":"NaN"}}`},
		"infinite": {msg{}.sub(5, msg{}.f64(4, math.Float64bits(math.Inf(-1)))), `{"body":{"doubleValue":"-Infinity"}}`},
		"bytes":    {msg{}.sub(5, msg{}.str(7, "\x01\x02\xff")), `{"body":{"bytesValue":"AQL/"}}`},
		"list": {
			msg{}.sub(5, list), `{"body":{"arrayValue":{"values":[{"stringValue":"a"},{"intValue":"2"},{}]}}}`,
		},
		"no list": {msg{}.sub(5, msg{}.sub(5, nil)), `{"body":{"arrayValue":{}}}`},
		"pairs": {
			msg{}.sub(5, msg{}.sub(6, msg{}.sub(1, pair("k", list)).sub(1, nil))),
			`{"body":{"kvlistValue":{"values":[{"key":"k","value":{"arrayValue":{"values":[{"stringValue":"a"},` +
				`{"intValue":"2"},{}]}}},{}]}}}`,
		},
		"attributes": {
			msg{}.sub(6, pair("a", text("1"))).num(7, 3).sub(6, msg{}.sub(2, text("2")).str(1, "b")),
			`{"attributes":[{"key":"a","value":{"stringValue":"1"}},{"key":"b","value":{"stringValue":"2"}}],` +
				`"droppedAttributesCount":3}`,
		},
		"ids": {
			append(msg{}.str(9, "\x0a\xf7").str(10, ""), 8<<3|5, 1, 0, 0, 0), `{"flags":1,"traceId":"0af7"}`,
		},
		// What protobuf demands.
		"last wins":     {msg{}.str(3, "a").num(2, 1).str(3, "b").num(2, 2), `{"severityNumber":2,"severityText":"b"}`},
		"last case":     {msg{}.sub(5, msg{}.num(3, 1).str(1, "x")), `{"body":{"stringValue":"x"}}`},
		"case overlaid": {msg{}.sub(5, msg{}.sub(5, list).str(1, "x").sub(5, nil)), `{"body":{"arrayValue":{}}}`},
		"merged": {
			msg{}.sub(5, msg{}.sub(5, msg{}.sub(1, text("a")))).sub(5, msg{}.sub(5, msg{}.sub(1, text("b")))),
			`{"body":{"arrayValue":{"values":[{"stringValue":"a"},{"stringValue":"b"}]}}}`,
		},
		"merged value": {
			msg{}.sub(6, msg{}.sub(2, text("a")).str(1, "k").sub(2, text("b"))),
			`{"attributes":[{"key":"k","value":{"stringValue":"b"}}]}`,
		},
		"unknown": {
			msg{}.num(99, 1).group(77, msg{}.str(1, "x").group(3, nil)).str(3, "a").f64(4, 1).str(13, "new"),
			`{"severityText":"a"}`,
		},
		"other wire types": {msg{}.num(1, 5).str(2, "x").num(3, 1).num(5, 1).f64(6, 1).num(8, 1).num(9, 1), `{}`},
		"long varints":     {append(msg{0x90, 0x80, 0}, 0x85, 0x80, 0x80, 0), `{"severityNumber":5}`},
	} {
		items := decode(t, new(otlp.Decoder), request(c.record))
		assert.Equal(t, []string{`{"logRecord":` + c.json + `}`}, items, name)
		assert.True(t, json.Valid([]byte(items[0])), name)
	}
}

// TestAround: what stands around a record may come behind it, and in several pieces.
func TestAround(t *testing.T) {
	t.Parallel()
	rec := msg{}.str(3, "a")
	scope := func(name string) msg { return msg{}.str(1, name).str(2, "1") }
	b := msg{}.sub(1, msg{}.
		sub(2, msg{}.sub(2, rec).sub(1, scope("one")).sub(2, rec)).
		str(3, "https://r").
		sub(2, msg{}.str(3, "https://s").sub(2, rec).sub(1, scope("two")).sub(1, msg{}.num(4, 7))).
		sub(1, msg{}.sub(1, pair("k", text("v")))).
		sub(1, msg{}.num(2, 2).sub(1, pair("l", text("w"))).sub(3, msg{}.str(2, "host").str(3, "host.id").str(3, "b"))).
		sub(2, msg{}.sub(1, nil))).
		sub(1, msg{}.sub(1, nil).sub(2, msg{}.sub(2, nil)))
	around := `{"resource":{"attributes":[{"key":"k","value":{"stringValue":"v"}},{"key":"l","value":{"stringValue":"w"}}],` +
		`"droppedAttributesCount":2,"entityRefs":[{"type":"host","idKeys":["host.id","b"]}]},"resourceSchemaUrl":"https://r",`
	one := around + `"scope":{"name":"one","version":"1"},"logRecord":{"severityText":"a"}}`
	assert.Equal(t, []string{
		one, one,
		around + `"scope":{"name":"two","version":"1","droppedAttributesCount":7},"scopeSchemaUrl":"https://s",` +
			`"logRecord":{"severityText":"a"}}`,
		`{"resource":{},"logRecord":{}}`,
	}, decode(t, new(otlp.Decoder), b))
}

// TestMalformed: a request that is not protobuf is refused whole, wherever the fault is.
func TestMalformed(t *testing.T) {
	t.Parallel()
	good := request(msg{}.sub(5, msg{}.sub(5, msg{}.sub(1, text("a")))))
	cases := map[string][]byte{
		"field 0":        {0x00, 0x00},
		"wire type 6":    {0x0e, 0x00},
		"wire type 7":    {0x0f},
		"end of a group": {0x0c},
		"group unended":  {0x0b, 0x08, 0x01},
		"other end":      {0x0b, 0x14},
		"long length":    {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		"long varint":    append(msg{0x10}, bytes.Repeat([]byte{0x80}, 11)...),
		"large number":   append(msg{}, 0x88, 0x80, 0x80, 0x80, 0x10, 1),
		"many groups":    bytes.Repeat([]byte{0x0b}, 1<<20),
		"in a value":     request(msg{}.sub(5, msg{0x0a, 5, 'a'})),
		"in a replaced value": request(msg{}.sub(5,
			msg{}.sub(5, msg{}.sub(1, msg{0x0a, 5, 'a'})).str(1, "x"))),
		"in a resource": msg{}.sub(1, msg{}.str(1, "\xff")),
		"in a scope":    msg{}.sub(1, msg{}.sub(2, msg{}.str(1, "\xff"))),
		"across pieces": request(msg{}.sub(5, msg{0x0a, 3, 'a'}).sub(5, msg("bc"))),
	}
	for n := range len(good) - 1 {
		if n > 0 {
			cases["cut off at "+string(rune('0'+n%10))+strings.Repeat(".", n/10)] = good[:n]
		}
	}
	d := otlp.Decoder{MostBytes: 1 << 20, MostRecords: 10}
	for name, b := range cases {
		var made bytes.Buffer
		require.ErrorIs(t, d.Decode(b, &made), otlp.ErrMalformed, name)
		require.Error(t, proto.Unmarshal(b, new(logs.LogsData)), name)
	}
	assert.Empty(t, decode(t, new(otlp.Decoder), nil))
}

// nested returns an AnyValue of n lists in each other.
func nested(n int, kv bool) msg {
	value := text("x")
	for range n {
		if kv {
			value = msg{}.sub(6, msg{}.sub(1, pair("k", value)))
		} else {
			value = msg{}.sub(5, msg{}.sub(1, value))
		}
	}
	return value
}

// TestLimits: a record over a limit has a fault, and the others are kept.
func TestLimits(t *testing.T) {
	t.Parallel()
	// The item, the log record and the body are three levels. A list in an array has three more, in an object four.
	for depth, want := range map[int]bool{19: true, 20: true, 21: false, 1000: false} {
		got := decode(t, new(otlp.Decoder), request(msg{}.sub(5, nested(depth, false))))
		assert.Equal(t, want, got[0] != "too deep", "%d arrays", depth)
	}
	for depth, want := range map[int]bool{14: true, 15: true, 16: false, 1000: false} {
		got := decode(t, new(otlp.Decoder), request(msg{}.sub(5, nested(depth, true))))
		assert.Equal(t, want, got[0] != "too deep", "%d objects", depth)
	}
	const most = 1000
	empty := len(`{"severityText":""}`)
	for off, want := range map[int]bool{-1: true, 0: true, 1: false} {
		long := msg{}.str(3, strings.Repeat("a", most-empty+off))
		got := decode(t, &otlp.Decoder{MostBytes: most, MostRecords: 2}, append(request(long), request(nil)...))
		assert.Equal(t, want, got[0] != "too large", "%+d", off)
		assert.Equal(t, `{"logRecord":{}}`, got[1])
	}
	for n, rest := range map[int]int{9: 0, 10: 0, 11: 1, 12: 2} {
		d := otlp.Decoder{MostBytes: most, MostRecords: 10}
		got := decode(t, &d, bytes.Repeat(request(nil), n))
		assert.Len(t, got, n-rest)
		assert.Equal(t, rest, d.Rest)
	}
	d := otlp.Decoder{MostBytes: most, MostRecords: 10}
	large := msg{}.sub(1, msg{}.sub(1, msg{}.sub(1, pair("k", text(strings.Repeat("a", most))))).sub(2, msg{}.sub(2, nil)))
	assert.Equal(t, []string{"too large", `{"logRecord":{}}`}, decode(t, &d, append(large, request(nil)...)))
}

// TestLinear: what a request makes is linear in its size, and so is the time.
func TestLinear(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	pieces := func(of msg) msg { return request(msg(bytes.Repeat(of, size/len(of)))) }
	value := text("x")
	for name, b := range map[string][]byte{
		"a large resource": append(msg{}, msg{}.sub(1, msg{}.sub(1, msg{}.sub(1, pair("k", text(strings.Repeat("a", size/2))))).
			sub(2, bytes.Repeat(msg{}.sub(2, nil), size/4)))...),
		"pieces of a body": pieces(msg{}.sub(5, value)),
		"replaced lists":   pieces(msg{}.sub(5, msg{}.sub(5, msg{}.sub(1, value)).num(2, 1))),
		"attributes":       pieces(msg{}.sub(6, nil)),
		"control bytes":    request(text(strings.Repeat("\x01", size))),
		"not utf-8":        request(text(strings.Repeat("\xff", size))),
		"scopes":           msg{}.sub(1, bytes.Repeat(msg{}.sub(2, msg{}.sub(2, nil)), size/4)),
	} {
		d := otlp.Decoder{MostBytes: size, MostRecords: 10_000}
		var made bytes.Buffer
		require.NoError(t, d.Decode(b, &made), name)
		assert.Less(t, made.Len(), 8*len(b), name)
	}
}

// full is a request with every kind of field, as an SDK would send it.
func full() *logs.LogsData {
	str := func(s string) *common.AnyValue {
		return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
	}
	kv := func(k string, v *common.AnyValue) *common.KeyValue { return &common.KeyValue{Key: k, Value: v} }
	whole := &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: -5}}
	double := &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: 1.25}}
	raw := &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte{1, 2, 255}}}
	list := &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: []*common.AnyValue{str("a"), whole, {}}}}}
	pairs := &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{
		Values: []*common.KeyValue{kv("list", list), kv("double", double), kv("", nil)},
	}}}
	return &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		SchemaUrl: "https://opentelemetry.io/schemas/1.30.0",
		Resource: &resource.Resource{
			Attributes: []*common.KeyValue{
				kv("service.name", str("shop")), kv("service.version", str("1.2.3")), kv("host.name", str("web-1")),
				kv("deployment.environment", str("staging")), kv("telemetry.sdk.name", str("opentelemetry")),
			},
			EntityRefs: []*common.EntityRef{{Type: "service", IdKeys: []string{"service.name"}, DescriptionKeys: []string{"service.version"}}},
		},
		ScopeLogs: []*logs.ScopeLogs{{
			Scope:     &common.InstrumentationScope{Name: "shop.pay", Version: "0.1", Attributes: []*common.KeyValue{kv("a", raw)}},
			SchemaUrl: "https://example.com",
			LogRecords: []*logs.LogRecord{
				{
					TimeUnixNano: 1795839551749000000, ObservedTimeUnixNano: 1795839551749000001, SeverityNumber: 17,
					SeverityText: "ERROR", Body: str("payment failed: \"é\"\n"), TraceId: []byte("0123456789abcdef"), SpanId: []byte("01234567"),
					Flags: 1, DroppedAttributesCount: 2, Attributes: []*common.KeyValue{
						kv("exception.type", str("PayError")), kv("exception.message", str("refused")), kv("user.id", whole),
						kv("pairs", pairs), kv("raw", raw), kv("list", list),
					},
				},
				{ObservedTimeUnixNano: 1795839551749000001, Body: pairs, EventName: "user.login"},
				{},
			},
		}, {}},
	}, {}}}
}

// seeds returns requests for the fuzzer.
func seeds(t testing.TB) [][]byte {
	t.Helper()
	all, err := proto.Marshal(full())
	require.NoError(t, err)
	seeds := [][]byte{
		all, nil, request(msg{}.sub(5, nested(25, true))), request(msg{}.group(77, msg{}.str(1, "x"))),
		request(msg{}.sub(5, msg{}.sub(5, msg{}.sub(1, text("a")))).sub(5, msg{}.sub(5, msg{}.sub(1, text("b"))).num(8, 1))),
		request(msg{}.sub(5, text("\xff"))),
	}
	recorded, err := filepath.Glob("../../gateway/testdata/captures/otlp-go-*.json")
	require.NoError(t, err)
	require.NotEmpty(t, recorded)
	for _, path := range recorded {
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		var capture struct {
			Body string `json:"body_base64"`
		}
		require.NoError(t, json.Unmarshal(raw, &capture))
		body, err := base64.StdEncoding.DecodeString(capture.Body)
		require.NoError(t, err)
		seeds = append(seeds, body)
	}
	return seeds
}
