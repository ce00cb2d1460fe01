// Package rowstest makes records and blocks for the tests of packages that use rows.
package rowstest

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/rows"
	"sluice/internal/event"
)

// Record is a good record of the topic events, as the gateway writes it.
type Record struct {
	Offset    int64
	Partition int
	Envelope  event.Envelope
	Value     string
}

// Noon is when the events of tests are received.
var Noon = time.Date(2026, 11, 23, 12, 0, 0, 123_000_000, time.UTC)

// ID returns a UUID of version 4, the same one for the same number.
func ID(n uint64) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[8:], n)
	binary.BigEndian.PutUint64(id[:8], n*0x9E3779B97F4A7C15)
	id[6], id[8] = id[6]&0x0F|0x40, id[8]&0x3F|0x80
	return id
}

// IDAt returns a UUID of version 7 with a time in it.
func IDAt(at time.Time, n uint64) uuid.UUID {
	id := ID(n)
	ms := uint64(at.UnixMilli()) // after 1970
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6] = id[6]&0x0F | 0x70
	return id
}

// From is a record of partition 0.
func From(offset int64, project string, id uuid.UUID, received time.Time, value string) Record {
	envelope := event.Envelope{Project: project, ID: id, ReceivedAt: received}
	return Record{Offset: offset, Envelope: envelope, Value: value}
}

// Plain is a record of partition 0 whose message contains the offset. It was received just now.
func Plain(offset int64) Record {
	value := fmt.Sprintf(`{"message":"event %d"}`, offset)
	return From(offset, "demo", ID(uint64(offset)), time.Now(), value) // not negative
}

// Block makes a block of records. It fails the test if a record is not a good event.
func Block(tb testing.TB, records ...Record) *rows.Block {
	tb.Helper()
	var decoder event.Decoder
	var ev event.Event
	b := rows.New()
	for _, r := range records {
		envelope, err := event.DecodeRecord(&decoder, []byte(r.Value), r.Envelope.Headers(), 2<<20, &ev)
		if err != nil {
			tb.Fatalf("record %d: %v", r.Offset, err)
		}
		b.Append(&ev, &rows.Row{
			Envelope: envelope, IDTime: event.IDTime(envelope.ID, ev.Timestamp), Payload: []byte(r.Value),
			Topic: "events", Partition: r.Partition, Offset: r.Offset,
			MaxAge: 90 * 24 * time.Hour,
		})
	}
	return b
}

// Many makes a block of n plain records.
func Many(tb testing.TB, n int) *rows.Block {
	tb.Helper()
	records := make([]Record, n)
	for i := range records {
		records[i] = Plain(int64(i))
	}
	return Block(tb, records...)
}
