package rows

import (
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"sluice/internal/event"
)

// Block is the rows of one insert, as ClickHouse's columns. A block is used by one goroutine at a time, but several may
// read it.
//
// It is used again for later inserts: fresh memory for each block costs several times what filling the block does.
type Block struct {
	fixed
	texts [textColumns]textColumn
	tags  tagsColumn

	input   proto.Input   // all columns, in the order of the table
	sent    proto.Input   // the result of Columns
	all     []*textColumn // texts, and the keys and values of the tags
	expect  int           // rows that the block may come to: see sizes
	scratch []byte
}

// fixed are the columns whose values all have the same size.
type fixed struct {
	eventID     proto.ColUUID
	idTime      proto.ColDateTime
	timestamp   proto.ColDateTime64
	client      proto.ColDateTime64
	adjusted    proto.ColBool
	receivedAt  proto.ColDateTime64
	level       proto.ColInt8
	fingerprint proto.ColUInt64
	partition   proto.ColInt32
	offset      proto.ColInt64
}

// fixedBytes is the size of a row in the columns of fixed, and of the end of its tags.
const fixedBytes = 16 + 4 + 3*8 + 1 + 8 + 1 + 8 + 8 + 4 + 8

// The columns of texts, by their index in Block.texts.
const (
	projectID = iota
	message
	exceptionType
	exceptionValue
	environment
	release
	platform
	serverName
	transaction
	traceID
	userID
	userEmail
	sdkName
	sdkVersion
	payload
	format
	topic
	textColumns
)

// levelType is the type of the level column, as the schema declares it.
const levelType proto.ColumnType = "Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)"

// New makes an empty block.
func New() *Block {
	b := &Block{}
	for _, c := range []*proto.ColDateTime64{&b.timestamp, &b.client, &b.receivedAt} {
		c.WithPrecision(proto.PrecisionMilli).WithLocation(time.UTC)
	}
	b.idTime.Location = time.UTC
	b.input = proto.Input{
		{Name: "project_id", Data: &b.texts[projectID]},
		{Name: "event_id", Data: &b.eventID},
		{Name: "id_time", Data: &b.idTime},
		{Name: "timestamp", Data: &b.timestamp},
		{Name: "client_timestamp", Data: &b.client},
		{Name: "timestamp_adjusted", Data: &b.adjusted},
		{Name: "received_at", Data: &b.receivedAt},
		{Name: "level", Data: proto.Alias(&b.level, levelType)},
		{Name: "message", Data: &b.texts[message]},
		{Name: "fingerprint", Data: &b.fingerprint},
		{Name: "exception_type", Data: &b.texts[exceptionType]},
		{Name: "exception_value", Data: &b.texts[exceptionValue]},
		{Name: "environment", Data: &b.texts[environment]},
		{Name: "release", Data: &b.texts[release]},
		{Name: "platform", Data: &b.texts[platform]},
		{Name: "server_name", Data: &b.texts[serverName]},
		{Name: "transaction", Data: &b.texts[transaction]},
		{Name: "trace_id", Data: &b.texts[traceID]},
		{Name: "user_id", Data: &b.texts[userID]},
		{Name: "user_email", Data: &b.texts[userEmail]},
		{Name: "sdk_name", Data: &b.texts[sdkName]},
		{Name: "sdk_version", Data: &b.texts[sdkVersion]},
		{Name: "tags", Data: &b.tags},
		{Name: "payload", Data: &b.texts[payload]},
		{Name: "format", Data: &b.texts[format]},
		{Name: "_topic", Data: &b.texts[topic]},
		{Name: "_partition", Data: &b.partition},
		{Name: "_offset", Data: &b.offset},
	}
	for i := range b.texts {
		b.all = append(b.all, &b.texts[i])
	}
	b.all = append(b.all, &b.tags.keys, &b.tags.values)
	return b
}

// Rows is the number of rows.
func (b *Block) Rows() int { return len(b.eventID) }

// Reset removes all rows and keeps the memory.
func (b *Block) Reset() { b.input.Reset() }

// Columns returns the columns to insert. It leaves out the columns that are empty in every row, because the table's
// default is the same. Small events lack a dozen fields, and reading a dozen empty columns costs ClickHouse a sixth of
// an insert. The result depends on the rows only, so that a block that is sent again is the same. It is good until the
// next call.
func (b *Block) Columns() proto.Input {
	b.sent = b.sent[:0]
	for _, c := range b.input {
		if !isEmpty(c.Data) {
			b.sent = append(b.sent, c)
		}
	}
	return b.sent
}

// isEmpty says whether a column is empty in every row. Columns of other types than texts and tags never are.
func isEmpty(column proto.ColInput) bool {
	switch data := column.(type) {
	case *textColumn:
		return data.isEmpty()
	case *tagsColumn:
		return data.keys.count == 0
	}
	return false
}

// Bytes is the size of the rows in memory, in bytes.
func (b *Block) Bytes() int {
	n := b.Rows() * fixedBytes
	for _, c := range b.all {
		n += c.size()
	}
	return n
}

// memory is the size of the memory that the block holds, used or not, in bytes.
func (b *Block) memory() int {
	n := cap(b.eventID) * fixedBytes
	for _, c := range b.all {
		n += cap(c.buf)
	}
	return n
}

// enlarge makes room for more rows in the columns that are not texts.
func (b *Block) enlarge() {
	b.eventID = enlarge(b.eventID, 1, b.expect)
	b.idTime.Data = enlarge(b.idTime.Data, 1, b.expect)
	b.timestamp.Data = enlarge(b.timestamp.Data, 1, b.expect)
	b.client.Data = enlarge(b.client.Data, 1, b.expect)
	b.adjusted = enlarge(b.adjusted, 1, b.expect)
	b.receivedAt.Data = enlarge(b.receivedAt.Data, 1, b.expect)
	b.level = enlarge(b.level, 1, b.expect)
	b.fingerprint = enlarge(b.fingerprint, 1, b.expect)
	b.tags.ends = enlarge(b.tags.ends, 1, b.expect)
	b.partition = enlarge(b.partition, 1, b.expect)
	b.offset = enlarge(b.offset, 1, b.expect)
}

// Pick makes a new block of some of the rows, whose numbers must be ascending.
func (b *Block) Pick(rows []int32) *Block {
	out := New()
	for i := range out.texts {
		out.texts[i].pick(&b.texts[i], rows)
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
		out.fingerprint = append(out.fingerprint, b.fingerprint[i])
		out.partition = append(out.partition, b.partition[i])
		out.offset = append(out.offset, b.offset[i])
	}
	return out
}

// Row is what [Block.Append] needs besides the event.
type Row struct {
	Envelope  event.Envelope
	IDTime    time.Time // event.IDTime of the event as it was sent
	Payload   []byte    // the event as JSON
	Topic     string
	Partition int
	Offset    int64
	MaxAge    time.Duration // an event with an older timestamp gets the time received instead
}

// Append adds one row. It copies everything, so that the event and its bytes may be used again afterwards.
func (b *Block) Append(ev *event.Event, r *Row) {
	if b.Rows() == cap(b.eventID) {
		b.enlarge()
	}
	id := r.Envelope.ID
	timestamp, client, adjusted := ev.Times(id, r.Envelope.ReceivedAt, r.Envelope.Correction(), r.MaxAge)
	b.texts[projectID].appendString(r.Envelope.Project)
	b.eventID = append(b.eventID, id)
	b.idTime.AppendRaw(proto.DateTime(r.IDTime.Unix())) // 1970, or 2020 to 2039
	b.timestamp.AppendRaw(milli(timestamp))
	b.client.AppendRaw(milli(client))
	b.adjusted.Append(adjusted)
	b.receivedAt.AppendRaw(milli(r.Envelope.ReceivedAt))
	b.level.Append(int8(ev.Level)) // 1 to 5
	if raw, ok := ev.PlainMessage(); ok {
		b.texts[message].append(raw)
	} else {
		b.scratch = ev.AppendMessage(b.scratch[:0])
		b.texts[message].append(b.scratch)
	}
	var hash uint64
	hash, b.scratch = ev.FingerprintHash(b.scratch[:0])
	b.fingerprint.Append(hash)
	b.appendText(&b.texts[exceptionType], &ev.Exception.Type)
	b.appendText(&b.texts[exceptionValue], &ev.Exception.Value)
	b.appendText(&b.texts[environment], &ev.Environment)
	b.appendText(&b.texts[release], &ev.Release)
	b.appendText(&b.texts[platform], &ev.Platform)
	b.appendText(&b.texts[serverName], &ev.ServerName)
	b.appendText(&b.texts[transaction], &ev.Transaction)
	b.appendText(&b.texts[traceID], &ev.TraceID)
	b.appendText(&b.texts[userID], &ev.UserID)
	b.appendText(&b.texts[userEmail], &ev.UserEmail)
	b.appendText(&b.texts[sdkName], &ev.SDK.Name)
	b.appendText(&b.texts[sdkVersion], &ev.SDK.Version)
	for i := range ev.Tags {
		b.appendText(&b.tags.keys, &ev.Tags[i].Key)
		b.appendText(&b.tags.values, &ev.Tags[i].Value)
	}
	b.tags.endRow()
	json := r.Payload
	if ev.NeedsRepair() {
		b.scratch = ev.AppendPayload(b.scratch[:0], r.Payload)
		json = b.scratch
	}
	b.texts[payload].append(json)
	if r.Envelope.Format == "" {
		b.texts[format].append(nil)
	} else {
		b.texts[format].appendString(r.Envelope.Format)
	}
	b.texts[topic].appendString(r.Topic)
	b.partition.Append(int32(r.Partition)) // an int32 of Kafka's protocol
	b.offset.Append(r.Offset)
}

func (b *Block) appendText(to *textColumn, t *event.Text) {
	if raw, ok := t.Verbatim(); ok {
		to.append(raw)
		return
	}
	b.scratch = t.AppendTo(b.scratch[:0])
	to.append(b.scratch)
}

func milli(t time.Time) proto.DateTime64 { return proto.DateTime64(t.UnixMilli()) }
