package load

import (
	"encoding/hex"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// runTag is the tag that marks the rows of a run for the verifier. indexTag helps people who read a row.
const (
	runTag   = "load_run"
	indexTag = "n"
)

// fixedBytes is the most that the fields of every event take, in bytes, whatever its size.
const fixedBytes = 256

// generator builds the events of a run. It has no state: the same index gives the same bytes at any time and from any
// goroutine.
type generator struct {
	identity
	run  string
	size int
}

func newGenerator(seed uint64, start time.Time, size int) generator {
	d := newIdentity(seed, start)
	return generator{identity: d, run: strconv.FormatUint(d.key, 36), size: size}
}

// choice is a value in two forms: the JSON that the client sends, and the text that ClickHouse must store.
type choice struct{ sent, stored string }

// levels holds mostly plain levels, and each alias once. An empty sent omits the field.
var levels = []choice{
	{`error`, "error"}, {`warning`, "warning"}, {`info`, "info"}, {`error`, "error"}, {`warning`, "warning"},
	{`info`, "info"},
	{`error`, "error"}, {`debug`, "debug"}, {`fatal`, "fatal"}, {`critical`, "fatal"}, {`warn`, "warning"},
	{`log`, "info"},
	{`trace`, "debug"}, {`ERROR`, "error"}, {`Info`, "info"}, {``, "error"},
}

// messages use every JSON spelling of a character. A parser that encodes the payload again would change them.
var messages = []choice{
	{`payment declined, order #`, "payment declined, order #"},
	{`timeout after 3000 ms, job `, "timeout after 3000 ms, job "},
	{`cannot read properties of undefined `, "cannot read properties of undefined "},
	{`cache miss for session `, "cache miss for session "},
	{`connection reset by peer, attempt `, "connection reset by peer, attempt "},
	{`naïve retry of “save” \u2014 no. `, "naïve retry of “save” — no. "},
	{`path \"C:\\temp\\a.log\" is locked: `, `path "C:\temp\a.log" is locked: `},
	{`\ud83d\ude80 launch failed 🚀, step\t`, "🚀 launch failed 🚀, step\t"},
}

var environments = []string{"production", "production", "production", "staging", "canary"}

var words = []string{
	"order", "invoice", "customer", "session", "retry", "queue", "worker", "shard", "token", "cart", "refund",
	"carrier", "index", "offset", "ledger", "quota", "region", "replica", "payload", "gateway", "checkout",
	"parcel", "voucher",
	"stock",
}

// row is an event in sluice.events.
type row struct {
	id          uuid.UUID
	project     string
	payload     string
	message     string
	level       string
	environment string
	millis      int64 // timestamp, in Unix milliseconds
	adjusted    bool  // timestamp_adjusted
}

// way is how an event must be sent.
type way struct {
	// whole: the event has no id. Its request has an Idempotency-Key, and is always sent again as a whole.
	whole bool
	// skew is how far the sender's clock is ahead. The request says so with X-Sent-At.
	skew time.Duration
}

// expected holds the column values that the row of an event must have.
type expected struct {
	id          uuid.UUID
	message     string
	level       string
	environment string
	millis      int64
	slack       int64 // by how much the stored time may differ, in milliseconds
}

// append appends the JSON of the event with this index to buf. Small events have only the essential fields. Larger
// events get more fields, and free text up to the configured size.
func (g generator) append(buf []byte, index int64) []byte {
	start := len(buf)
	buf, _ = g.build(buf, index, false)
	if room := g.size - (len(buf) - start); room > 0 {
		buf = g.extend(buf, index, start)
	}
	return append(buf, '}')
}

// build appends the fixed fields. With want, it also returns the expected columns.
func (g generator) build(buf []byte, index int64, want bool) ([]byte, expected) {
	r := g.rand(index)
	id := g.id(index)
	message, level := messages[r.below(len(messages))], levels[r.below(len(levels))]
	detail := r.below(1_000_000)
	buf = append(buf, `{"event_id":"`...)
	buf = appendUUID(buf, id)
	if g.version(index) != 7 {
		buf = append(buf, `","timestamp":`...)
		buf = strconv.AppendInt(buf, g.millis(index), 10)
		buf = append(buf, `,"message":"`...)
	} else {
		buf = append(buf, `","message":"`...)
	}
	buf = append(buf, message.sent...)
	buf = strconv.AppendInt(buf, int64(detail), 10)
	if level.sent != "" {
		buf = append(buf, `","level":"`...)
		buf = append(buf, level.sent...)
	}
	buf = append(buf, `","tags":{"`+runTag+`":"`...)
	buf = append(buf, g.run...)
	buf = append(buf, `","`+indexTag+`":"`...)
	buf = strconv.AppendInt(buf, index, 10)
	buf = append(buf, `"}`...)
	if !want {
		return buf, expected{}
	}
	return buf, expected{id: id, message: message.stored + strconv.Itoa(detail), level: level.stored,
		millis: g.millis(index)}
}

// expect returns the expected columns of an event.
func (g generator) expect(index int64) expected {
	buf, want := g.build(nil, index, true)
	if g.size-len(buf) > contextRoom {
		want.environment = g.environment(index)
	}
	return want
}

// An event gets context fields if at least contextRoom bytes are free, and one more stack frame if frameRoom bytes are.
const (
	contextRoom = 260
	frameRoom   = 240
)

func (g generator) environment(index int64) string {
	return environments[mix(g.key^5*uint64(index))%uint64(len(environments))]
}

// extend grows the open event that starts at start to the configured size.
func (g generator) extend(buf []byte, index int64, start int) []byte {
	r := g.rand(^index)
	room := func() int { return g.size - (len(buf) - start) }
	if room() > contextRoom {
		buf = append(buf, `,"environment":"`...)
		buf = append(buf, g.environment(index)...)
		buf = append(buf, `","release":"shop@4.`...)
		buf = strconv.AppendInt(buf, int64(r.below(40)), 10)
		buf = append(buf, `.1","platform":"javascript","server_name":"web-`...)
		buf = strconv.AppendInt(buf, int64(r.below(64)), 10)
		buf = append(buf, `","user":{"id":"u`...)
		buf = strconv.AppendInt(buf, int64(r.below(100_000)), 10)
		// A round trip through float64 would change these numbers.
		buf = append(buf,
			`"},"sdk":{"name":"sluice.load","version":"1.0.0"},"amount":12345678901234567890,"ratio":1.50`...)
	}
	if room() > frameRoom+contextRoom {
		buf = append(buf, `,"exception":{"type":"CheckoutError","value":"stock is gone"},"stacktrace":[`...)
		for first := true; room() > frameRoom && r.below(12) > 0 || first; first = false {
			if !first {
				buf = append(buf, ',')
			}
			buf = appendFrame(buf, &r)
		}
		buf = append(buf, ']')
	}
	const open, end = `,"note":"`, `"}`
	if room() < len(open)+len(end) {
		return buf
	}
	buf = append(buf, open...)
	for room() > len(end) {
		word := words[r.below(len(words))]
		buf = append(buf, word[:min(len(word), room()-len(end))]...)
		if room() > len(end) {
			buf = append(buf, ' ')
		}
	}
	return append(buf, '"')
}

func appendFrame(buf []byte, r *prng) []byte {
	buf = append(buf, `{"filename":"src/`...)
	buf = append(buf, words[r.below(len(words))]...)
	buf = append(buf, '/')
	buf = append(buf, words[r.below(len(words))]...)
	buf = append(buf, `.ts","function":"`...)
	buf = append(buf, words[r.below(len(words))]...)
	buf = append(buf, `","lineno":`...)
	buf = strconv.AppendInt(buf, int64(r.below(900)+1), 10)
	buf = append(buf, `,"colno":`...)
	buf = strconv.AppendInt(buf, int64(r.below(80)+1), 10)
	return append(buf, `,"in_app":true}`...)
}

func appendUUID(buf []byte, id uuid.UUID) []byte {
	buf = hex.AppendEncode(buf, id[:4])
	for _, part := range [][]byte{id[4:6], id[6:8], id[8:10], id[10:]} {
		buf = append(buf, '-')
		buf = hex.AppendEncode(buf, part)
	}
	return buf
}

// name, way and find make a generator the contents of a run.
func (g generator) name() string { return g.run }

func (g generator) way(int64) way { return way{} }

func (g generator) find(r *row) (index int64, ok bool) { return g.index(r.id) }
