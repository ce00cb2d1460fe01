package rows

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/uuid"

	"sluice/internal/event"
)

// appendEvent decodes an event and appends its row.
func appendEvent(t *testing.T, b *Block, offset int64, value string) {
	t.Helper()
	var decoder event.Decoder
	var ev event.Event
	id := uuid.UUID{6: 0x40, 8: 0x80}
	binary.BigEndian.PutUint64(id[8:], uint64(offset)|1<<63) // not negative
	envelope := event.Envelope{Project: "demo", ID: id, ReceivedAt: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	if err := decoder.Decode([]byte(value), &ev); err != nil {
		t.Fatal(err)
	}
	b.Append(&ev, &Row{
		Envelope: envelope, IDTime: event.IDTime(id, ev.Timestamp), Payload: []byte(value), Topic: "events", Offset: offset, MaxAge: 24 * time.Hour,
	})
}
