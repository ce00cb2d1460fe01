package rows

import (
	"slices"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"sluice/internal/event"
)

// Block is one insert in the making: ClickHouse's columns, filled row by row, and reused for the next insert. Fresh memory
// for every block would cost several times what filling it does.
type Block struct {
	projectID   textColumn
	eventID     proto.ColUUID
	idTime      proto.ColDateTime
	timestamp   proto.ColDateTime64
	client      proto.ColDateTime64
	adjusted    proto.ColBool
	receivedAt  proto.ColDateTime64
	level       proto.ColInt8
	message     textColumn
	Fingerprint proto.ColUInt64
	excType     textColumn
	excValue    textColumn
	environment textColumn
	release     textColumn
	platform    textColumn
	serverName  textColumn
	transaction textColumn
	traceID     textColumn
	userID      textColumn
	userEmail   textColumn
	sdkName     textColumn
	sdkVersion  textColumn
	tags        tagsColumn
	payload     textColumn
	topic       textColumn
	partition   proto.ColInt32
	offset      proto.ColInt64

	input   proto.Input
	sent    proto.Input   // see columns
	texts   []*textColumn // those of input
	all     []*textColumn // these and the tags'
	expect  int           // rows that it may come to: see sizes
	scratch []byte
}

func New() *Block {
	b := &Block{}
	for _, c := range []*proto.ColDateTime64{&b.timestamp, &b.client, &b.receivedAt} {
		c.WithPrecision(proto.PrecisionMilli).WithLocation(time.UTC)
	}
	b.idTime.Location = time.UTC
	b.input = proto.Input{
		{Name: "project_id", Data: &b.projectID},
		{Name: "event_id", Data: &b.eventID},
		{Name: "id_time", Data: &b.idTime},
		{Name: "timestamp", Data: &b.timestamp},
		{Name: "client_timestamp", Data: &b.client},
		{Name: "timestamp_adjusted", Data: &b.adjusted},
		{Name: "received_at", Data: &b.receivedAt},
		{Name: "level", Data: proto.Alias(&b.level, levelType)},
		{Name: "message", Data: &b.message},
		{Name: "fingerprint", Data: &b.Fingerprint},
		{Name: "exception_type", Data: &b.excType},
		{Name: "exception_value", Data: &b.excValue},
		{Name: "environment", Data: &b.environment},
		{Name: "release", Data: &b.release},
		{Name: "platform", Data: &b.platform},
		{Name: "server_name", Data: &b.serverName},
		{Name: "transaction", Data: &b.transaction},
		{Name: "trace_id", Data: &b.traceID},
		{Name: "user_id", Data: &b.userID},
		{Name: "user_email", Data: &b.userEmail},
		{Name: "sdk_name", Data: &b.sdkName},
		{Name: "sdk_version", Data: &b.sdkVersion},
		{Name: "tags", Data: &b.tags},
		{Name: "payload", Data: &b.payload},
		{Name: "_topic", Data: &b.topic},
		{Name: "_partition", Data: &b.partition},
		{Name: "_offset", Data: &b.offset},
	}
	for _, c := range b.input {
		if text, ok := c.Data.(*textColumn); ok {
			b.texts = append(b.texts, text)
		}
	}
	b.all = append(slices.Clone(b.texts), &b.tags.keys, &b.tags.values)
	return b
}

// levelType is the level column's type, as the schema has it.
const levelType proto.ColumnType = "Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)"

func (b *Block) Rows() int { return len(b.eventID) }

func (b *Block) Reset() { b.input.Reset() }

// Columns are what is inserted: all of input but what no row has anything in, for which the table's default is the same. Who sends
// small events leaves a dozen fields out, and to read and convert the nothing of each row costs ClickHouse a sixth of an insert. It
// depends on the rows only, so that a block that is sent again is the same.
func (b *Block) Columns() proto.Input {
	b.sent = b.sent[:0]
	for _, c := range b.input {
		switch data := c.Data.(type) {
		case *textColumn:
			if data.isEmpty() {
				continue
			}
		case *tagsColumn:
			if data.keys.count == 0 {
				continue
			}
		}
		b.sent = append(b.sent, c)
	}
	return b.sent
}

// fixedBytes is what a row takes besides its texts and tags.
const fixedBytes = 16 + 4 + 3*8 + 1 + 8 + 1 + 8 + 8 + 4 + 8

// Bytes is how much memory the rows take.
func (b *Block) Bytes() int {
	n := b.Rows() * fixedBytes
	for _, c := range b.all {
		n += c.size()
	}
	return n
}

// memory is how much the block holds, in use or not.
func (b *Block) memory() int {
	n := cap(b.eventID) * fixedBytes
	for _, c := range b.all {
		n += cap(c.buf)
	}
	return n
}

// enlarge makes room for more rows in what is not text.
func (b *Block) enlarge() {
	b.eventID = enlarge(b.eventID, 1, b.expect)
	b.idTime.Data = enlarge(b.idTime.Data, 1, b.expect)
	b.timestamp.Data = enlarge(b.timestamp.Data, 1, b.expect)
	b.client.Data = enlarge(b.client.Data, 1, b.expect)
	b.adjusted = enlarge(b.adjusted, 1, b.expect)
	b.receivedAt.Data = enlarge(b.receivedAt.Data, 1, b.expect)
	b.level = enlarge(b.level, 1, b.expect)
	b.Fingerprint = enlarge(b.Fingerprint, 1, b.expect)
	b.tags.ends = enlarge(b.tags.ends, 1, b.expect)
	b.partition = enlarge(b.partition, 1, b.expect)
	b.offset = enlarge(b.offset, 1, b.expect)
}

// Pick makes a block of some of the rows, in ascending order.
func (b *Block) Pick(rows []int32) *Block {
	out := New()
	for i, text := range out.texts {
		text.pick(b.texts[i], rows)
	}
	out.tags.pick(&b.tags, rows)
	for _, i := range rows {
		out.eventID = append(out.eventID, b.eventID[i])
		out.idTime.AppendRaw(b.idTime.Data[i])
		out.timestamp.AppendRaw(b.timestamp.Data[i])
		out.client.AppendRaw(b.client.Data[i])
		out.adjusted = append(out.adjusted, b.adjusted[i])
		out.receivedAt.AppendRaw(b.receivedAt.Data[i])
		out.level = append(out.level, b.level[i])
		out.Fingerprint = append(out.Fingerprint, b.Fingerprint[i])
		out.partition = append(out.partition, b.partition[i])
		out.offset = append(out.offset, b.offset[i])
	}
	return out
}

// Row is what append needs besides the event.
type Row struct {
	Envelope  event.Envelope
	IdTime    time.Time // event.IDTime of the event as it was sent
	Raw       []byte
	Topic     string
	Partition int
	Offset    int64
	MaxAge    time.Duration
}

// Append adds one row. Everything is copied; the event and its bytes may be reused afterwards.
func (b *Block) Append(ev *event.Event, r *Row) {
	if b.Rows() == cap(b.eventID) {
		b.enlarge()
	}
	id := r.Envelope.ID
	timestamp, client, adjusted := ev.Times(id, r.Envelope.ReceivedAt, r.Envelope.Correction(), r.MaxAge)
	b.projectID.appendString(r.Envelope.Project)
	b.eventID = append(b.eventID, id)
	b.idTime.AppendRaw(proto.DateTime(r.IdTime.Unix())) //nolint:gosec // 1970, or 2020 to 2039
	b.timestamp.AppendRaw(milli(timestamp))
	b.client.AppendRaw(milli(client))
	b.adjusted.Append(adjusted)
	b.receivedAt.AppendRaw(milli(r.Envelope.ReceivedAt))
	b.level.Append(int8(ev.Level)) //nolint:gosec // 1 to 5
	if raw, ok := ev.PlainMessage(); ok {
		b.message.Append(raw)
	} else {
		b.scratch = ev.AppendMessage(b.scratch[:0])
		b.message.Append(b.scratch)
	}
	var hash uint64
	hash, b.scratch = ev.FingerprintHash(b.scratch[:0])
	b.Fingerprint.Append(hash)
	b.text(&b.excType, &ev.Exception.Type)
	b.text(&b.excValue, &ev.Exception.Value)
	b.text(&b.environment, &ev.Environment)
	b.text(&b.release, &ev.Release)
	b.text(&b.platform, &ev.Platform)
	b.text(&b.serverName, &ev.ServerName)
	b.text(&b.transaction, &ev.Transaction)
	b.text(&b.traceID, &ev.TraceID)
	b.text(&b.userID, &ev.UserID)
	b.text(&b.userEmail, &ev.UserEmail)
	b.text(&b.sdkName, &ev.SDKName)
	b.text(&b.sdkVersion, &ev.SDKVersion)
	for i := range ev.Tags {
		b.text(&b.tags.keys, &ev.Tags[i].Key)
		b.text(&b.tags.values, &ev.Tags[i].Value)
	}
	b.tags.end()
	payload := r.Raw
	if ev.NeedsRepair() {
		b.scratch = ev.AppendPayload(b.scratch[:0], r.Raw)
		payload = b.scratch
	}
	b.payload.Append(payload)
	b.topic.appendString(r.Topic)
	b.partition.Append(int32(r.Partition)) //nolint:gosec // Kafka's own type
	b.offset.Append(r.Offset)
}

func (b *Block) text(to *textColumn, t *event.Text) {
	if raw, ok := t.Verbatim(); ok {
		to.Append(raw)
		return
	}
	b.scratch = t.AppendTo(b.scratch[:0])
	to.Append(b.scratch)
}

func milli(t time.Time) proto.DateTime64 { return proto.DateTime64(t.UnixMilli()) }
