package consumer

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"sluice/internal/event"
)

// rowRecord is a good record of the topic events, as the gateway writes it.
type rowRecord struct {
	Offset    int64
	Partition int
	Envelope  event.Envelope
	Value     string
}

// rowNoon is when the events of tests are received.
var rowNoon = time.Date(2026, 11, 23, 12, 0, 0, 123_000_000, time.UTC)

// rowID is a UUID of version 4 that is the same for the same number.
func rowID(n uint64) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[8:], n)
	binary.BigEndian.PutUint64(id[:8], n*0x9E3779B97F4A7C15)
	id[6], id[8] = id[6]&0x0F|0x40, id[8]&0x3F|0x80
	return id
}

// rowIDAt is a UUID of version 7 with a time in it.
func rowIDAt(at time.Time, n uint64) uuid.UUID {
	id := rowID(n)
	ms := uint64(at.UnixMilli()) //nolint:gosec // after 1970
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6] = id[6]&0x0F | 0x70
	return id
}

// rowFrom is a record of an event.
func rowFrom(offset int64, project string, id uuid.UUID, received time.Time, value string) rowRecord {
	return rowRecord{Offset: offset, Envelope: event.Envelope{Project: project, ID: id, ReceivedAt: received}, Value: value}
}

// rowPlain is a record whose message says which offset it has. It was received just now.
func rowPlain(offset int64) rowRecord {
	return rowFrom(offset, "demo", rowID(uint64(offset)), time.Now(), fmt.Sprintf(`{"message":"event %d"}`, offset)) //nolint:gosec // not negative
}

// rowBlock makes a block of records that are all good.
func rowBlock(tb testing.TB, records ...rowRecord) *block {
	tb.Helper()
	var decoder event.Decoder
	var ev event.Event
	b := newBlock()
	for _, r := range records {
		envelope, err := event.DecodeRecord(&decoder, []byte(r.Value), r.Envelope.Headers(), 2<<20, &ev)
		if err != nil {
			tb.Fatalf("record %d: %v", r.Offset, err)
		}
		b.append(&ev, &row{
			envelope: envelope, idTime: event.IDTime(envelope.ID, ev.Timestamp), raw: []byte(r.Value), topic: "events", partition: r.Partition, offset: r.Offset,
			maxAge: 90 * 24 * time.Hour,
		})
	}
	return b
}

// rowMany are n events of one partition.
func rowMany(tb testing.TB, n int) *block {
	tb.Helper()
	records := make([]rowRecord, n)
	for i := range records {
		records[i] = rowPlain(int64(i))
	}
	return rowBlock(tb, records...)
}
