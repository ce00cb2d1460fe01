package rows

import (
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
)

// Offsets are the offsets of the rows. They are good until the block is reset or appended to.
func (b *Block) Offsets() []int64 { return b.offset }

// EventIDs are the ids of the rows' events. They are good until the block is reset or appended to.
func (b *Block) EventIDs() []uuid.UUID { return b.eventID }

// ReceivedAt is when a row's event was received.
func (b *Block) ReceivedAt(row int) time.Time {
	return time.UnixMilli(int64(b.receivedAt.Data[row])).UTC()
}

// Project is a row's project. It walks over the rows before: for few rows only.
func (b *Block) Project(row int) string { return string(b.projectID.row(row)) }

// Payload is a row's event as JSON. It walks over the rows before: for few rows only.
func (b *Block) Payload(row int) []byte { return b.payload.row(row) }

// Message is a row's message. It walks over the rows before: for few rows only.
func (b *Block) Message(row int) string { return string(b.message.row(row)) }

// Projects goes through the projects of all rows. Each is good until the next one.
func (b *Block) Projects() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		at := 0
		for row := range b.projectID.count - b.projectID.absent {
			n, size := binary.Uvarint(b.projectID.buf[at:])
			end := at + size + int(n) //nolint:gosec // written by append
			if !yield(row, b.projectID.buf[at+size:end]) {
				return
			}
			at = end
		}
	}
}

// Check reports a column that has more or fewer values than the block has rows. ClickHouse would refuse such a block.
func (b *Block) Check() error {
	for _, c := range b.input {
		if n := c.Data.Rows(); n != b.Rows() {
			return fmt.Errorf("column %s has %d values of %d rows", c.Name, n, b.Rows())
		}
	}
	return nil
}
