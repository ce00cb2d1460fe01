package consumer

import (
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"sluice/internal/event"
)

// block is one insert in the making: ClickHouse's columns, filled row by row, and reused for the next insert. Fresh memory
// for every block would cost several times what filling it does.
type block struct {
	projectID   proto.ColStr
	eventID     proto.ColUUID
	idTime      proto.ColDateTime
	timestamp   proto.ColDateTime64
	client      proto.ColDateTime64
	adjusted    proto.ColBool
	receivedAt  proto.ColDateTime64
	level       proto.ColInt8
	message     proto.ColStr
	fingerprint proto.ColUInt64
	excType     proto.ColStr
	excValue    proto.ColStr
	environment proto.ColStr
	release     proto.ColStr
	platform    proto.ColStr
	serverName  proto.ColStr
	transaction proto.ColStr
	traceID     proto.ColStr
	userID      proto.ColStr
	userEmail   proto.ColStr
	sdkName     proto.ColStr
	sdkVersion  proto.ColStr
	tagKeys     proto.ColStr
	tagValues   proto.ColStr
	tags        *proto.ColMap[string, string]
	payload     proto.ColStr
	topic       proto.ColStr
	partition   proto.ColInt32
	offset      proto.ColInt64

	input   proto.Input
	scratch []byte
}

func newBlock() *block {
	b := &block{}
	for _, c := range []*proto.ColDateTime64{&b.timestamp, &b.client, &b.receivedAt} {
		c.WithPrecision(proto.PrecisionMilli).WithLocation(time.UTC)
	}
	b.idTime.Location = time.UTC
	b.tags = proto.NewMap(&b.tagKeys, &b.tagValues)
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
		{Name: "fingerprint", Data: &b.fingerprint},
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
		{Name: "tags", Data: b.tags},
		{Name: "payload", Data: &b.payload},
		{Name: "_topic", Data: &b.topic},
		{Name: "_partition", Data: &b.partition},
		{Name: "_offset", Data: &b.offset},
	}
	return b
}

// levelType is the level column's type, as the schema has it.
const levelType proto.ColumnType = "Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)"

func (b *block) rows() int { return len(b.eventID) }

func (b *block) reset() { b.input.Reset() }

// row is what append needs besides the event.
type row struct {
	envelope  event.Envelope
	raw       []byte
	topic     string
	partition int
	offset    int64
	maxAge    time.Duration
}

// append adds one row. Everything is copied; the event and its bytes may be reused afterwards.
func (b *block) append(ev *event.Event, r *row) {
	id := r.envelope.ID
	timestamp, client, adjusted := ev.Times(id, r.envelope.ReceivedAt, r.envelope.Correction(), r.maxAge)
	b.projectID.Append(r.envelope.Project)
	b.eventID = append(b.eventID, id)
	b.idTime.AppendRaw(proto.DateTime(event.IDTime(id, ev.Timestamp).Unix())) //nolint:gosec // 1970, or 2020 to 2039
	b.timestamp.AppendRaw(milli(timestamp))
	b.client.AppendRaw(milli(client))
	b.adjusted.Append(adjusted)
	b.receivedAt.AppendRaw(milli(r.envelope.ReceivedAt))
	b.level.Append(int8(ev.Level)) //nolint:gosec // 1 to 5
	b.scratch = ev.AppendMessage(b.scratch[:0])
	b.message.AppendBytes(b.scratch)
	var hash uint64
	hash, b.scratch = ev.FingerprintHash(b.scratch[:0])
	b.fingerprint.Append(hash)
	b.text(&b.excType, ev.Exception.Type)
	b.text(&b.excValue, ev.Exception.Value)
	b.text(&b.environment, ev.Environment)
	b.text(&b.release, ev.Release)
	b.text(&b.platform, ev.Platform)
	b.text(&b.serverName, ev.ServerName)
	b.text(&b.transaction, ev.Transaction)
	b.text(&b.traceID, ev.TraceID)
	b.text(&b.userID, ev.UserID)
	b.text(&b.userEmail, ev.UserEmail)
	b.text(&b.sdkName, ev.SDKName)
	b.text(&b.sdkVersion, ev.SDKVersion)
	for _, t := range ev.Tags {
		b.text(&b.tagKeys, t.Key)
		b.text(&b.tagValues, t.Value)
	}
	b.tags.Offsets.Append(uint64(b.tagKeys.Rows())) //nolint:gosec // a count
	b.scratch = ev.AppendPayload(b.scratch[:0], r.raw)
	b.payload.AppendBytes(b.scratch)
	b.topic.Append(r.topic)
	b.partition.Append(int32(r.partition)) //nolint:gosec // Kafka's own type
	b.offset.Append(r.offset)
}

func (b *block) text(to *proto.ColStr, t event.Text) {
	b.scratch = t.AppendTo(b.scratch[:0])
	to.AppendBytes(b.scratch)
}

func milli(t time.Time) proto.DateTime64 { return proto.DateTime64(t.UnixMilli()) }
