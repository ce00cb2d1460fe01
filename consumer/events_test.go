package consumer

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/rows"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// noon is when the events of tests are received.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 123_000_000, time.UTC)

// idV4 is a UUID of version 4 that is the same for the same number.
func idV4(n uint64) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[8:], n)
	binary.BigEndian.PutUint64(id[:8], n*0x9E3779B97F4A7C15)
	id[6], id[8] = id[6]&0x0F|0x40, id[8]&0x3F|0x80
	return id
}

// idV7 is a UUID of version 7 with a time in it.
func idV7(at time.Time, n uint64) uuid.UUID {
	id := idV4(n)
	ms := uint64(at.UnixMilli()) //nolint:gosec // after 1970
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[6] = id[6]&0x0F | 0x70
	return id
}

// fromGateway is a record as the gateway writes it.
func fromGateway(offset int64, project string, id uuid.UUID, received time.Time, value string) recordbatch.Record {
	envelope := event.Envelope{Project: project, ID: id, ReceivedAt: received}
	return recordbatch.Record{Offset: offset, Value: []byte(value), Headers: envelope.Headers(), Timestamp: received.UnixMilli(), LogAppendTime: true}
}

// plain is a good event whose message says which offset it has.
func plain(offset int64) recordbatch.Record {
	return fromGateway(offset, "demo", idV4(uint64(offset)), time.Now(), fmt.Sprintf(`{"message":"event %d"}`, offset)) //nolint:gosec // not negative
}

// newProcessor is a processor of partition 0 of the topic events.
func newProcessor() *processor {
	return &processor{topic: "events", partition: 0, maxAge: 90 * 24 * time.Hour}
}

// blockOf makes a block of records that are all good.
func blockOf(t testing.TB, records ...recordbatch.Record) *rows.Block {
	t.Helper()
	p, b := newProcessor(), rows.New()
	for i := range records {
		if err := p.process(&records[i], b); err != nil {
			t.Fatalf("record %d: %v", records[i].Offset, err)
		}
	}
	return b
}
