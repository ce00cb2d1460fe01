package rows

import (
	"encoding/binary"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
)

// Partition is the partition of the first row. There must be one.
func (b *Block) Partition() int { return int(b.partition[0]) }

// Offsets are the offsets of the rows. They are good until the block changes.
func (b *Block) Offsets() []int64 { return b.offset }

// EventIDs are the ids of the rows' events. They are good until the block changes.
func (b *Block) EventIDs() []uuid.UUID { return b.eventID }

// ReceivedAt is when the event of a row was received, in UTC.
func (b *Block) ReceivedAt(row int) time.Time {
	return time.UnixMilli(int64(b.receivedAt.Data[row])).UTC()
}

// Fingerprint is the fingerprint of a row's event.
func (b *Block) Fingerprint(row int) uint64 { return b.fingerprint[row] }

// Project is the project of a row. It walks over all rows before: use it for few rows only.
func (b *Block) Project(row int) string { return string(b.texts[projectID].row(row)) }

// Payload is the event of a row as JSON. It walks over all rows before: use it for few rows only. The bytes are good
// until the block changes.
func (b *Block) Payload(row int) []byte { return b.texts[payload].row(row) }

// Message is the message of a row. It walks over all rows before: use it for few rows only.
func (b *Block) Message(row int) string { return string(b.texts[message].row(row)) }

// Format is the format of the payload of a row. It walks over all rows before: use it for few rows only.
func (b *Block) Format(row int) string { return string(b.texts[format].row(row)) }

// Projects goes through the projects of all rows. The bytes are good until the block changes.
func (b *Block) Projects() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		c, at := &b.texts[projectID], 0
		for row := range c.count - c.absent {
			n, size := binary.Uvarint(c.buf[at:])
			end := at + size + int(n) // written by append
			if !yield(row, c.buf[at+size:end]) {
				return
			}
			at = end
		}
	}
}

// Days is how many numbers the table's partitions have: a partition is a day, by its number since 1970 modulo Days.
const Days = 128

// TablePartitions returns, for each row, the partition of the table that the row goes into, by its id_time: the day
// modulo [Days], or the months since the year 0 for a table of an earlier version.
func (b *Block) TablePartitions(byMonth bool) []int32 {
	out := make([]int32, b.Rows())
	for i, at := range b.idTime.Data {
		if byMonth {
			year, month, _ := time.Unix(int64(at), 0).UTC().Date()
			out[i] = int32(year*12 + int(month)) // 1970 to 2106
		} else {
			out[i] = int32(int64(at) / (24 * 60 * 60) % Days) //nolint:gosec // below Days
		}
	}
	return out
}

// RowBytes returns the size of each row in bytes, without its tags.
func (b *Block) RowBytes() []int64 {
	out := make([]int64, b.Rows())
	for i := range out {
		out[i] = fixedBytes
	}
	for t := range b.texts {
		c, at := &b.texts[t], 0
		for i := range c.count - c.absent {
			n, size := binary.Uvarint(c.buf[at:])
			at += size + int(n)              // written by append
			out[i] += int64(size) + int64(n) // written by append
		}
	}
	return out
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

// ReceivedBefore counts the rows whose events were received before a time.
func (b *Block) ReceivedBefore(at time.Time) (n int) {
	for row := range b.Rows() {
		if b.ReceivedAt(row).Before(at) {
			n++
		}
	}
	return n
}
