package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// An entry on the disk. All numbers are big-endian:
//
//	 0 version      uint8    1
//	 1 sequence     uint64   one more than the sequence of the entry before
//	 9 before       uint64   events in all entries before
//	17 accepted at  int64    Unix ms
//	25 partition    int32    −1: any
//	29 count        uint32   records
//	33 the records: for each its length (uvarint), then the record as Kafka's message format 2 has it from the key on
//
// The log around it adds a checksum. A file cannot say how much it should hold; the two counters do. The first entry of
// the next file tells where this file must end.
const (
	entrySequenceAt  = 1
	entryBeforeAt    = 9
	entryAcceptedAt  = 17
	entryPartitionAt = 25
	entryCountAt     = 29
	entryHeader      = 33

	entryVersion = 1
)

var (
	errEntry        = errors.New("not an entry of the spool")
	errEntryVersion = errors.New("another version of the gateway wrote the spool")
)

// Entry is records that the spool keeps and hands out together. The spool does not look into a record.
type Entry struct {
	AcceptedAt time.Time // by the wall clock; kept to the millisecond
	Partition  int       // −1: any
	Count      int       // records, at least one
	Records    []byte    // each behind its length as a uvarint

	sequence, before uint64
}

// encode leaves the counters 0; setCounters writes them.
func (e *Entry) encode() []byte {
	b := make([]byte, entryHeader, entryHeader+len(e.Records))
	b[0] = entryVersion
	binary.BigEndian.PutUint64(b[entryAcceptedAt:], uint64(e.AcceptedAt.UnixMilli()))
	binary.BigEndian.PutUint32(b[entryPartitionAt:], uint32(int32(e.Partition)))
	binary.BigEndian.PutUint32(b[entryCountAt:], uint32(e.Count))
	return append(b, e.Records...)
}

// setCounters gives an encoded entry its place in the log.
func setCounters(b []byte, sequence, before uint64) {
	binary.BigEndian.PutUint64(b[entrySequenceAt:], sequence)
	binary.BigEndian.PutUint64(b[entryBeforeAt:], before)
}

// decodeEntry reads an entry and checks all of it, so that nothing but whole records goes to Kafka. The entry's records
// alias b.
func decodeEntry(b []byte) (Entry, error) {
	if len(b) > 0 && b[0] != entryVersion {
		return Entry{}, fmt.Errorf("%w: version %d, not %d", errEntryVersion, b[0], entryVersion)
	}
	if len(b) < entryHeader {
		return Entry{}, fmt.Errorf("%w: %d bytes", errEntry, len(b))
	}
	e := Entry{
		sequence:   binary.BigEndian.Uint64(b[entrySequenceAt:]),
		before:     binary.BigEndian.Uint64(b[entryBeforeAt:]),
		AcceptedAt: time.UnixMilli(int64(binary.BigEndian.Uint64(b[entryAcceptedAt:]))),
		Partition:  int(int32(binary.BigEndian.Uint32(b[entryPartitionAt:]))),
		Count:      int(binary.BigEndian.Uint32(b[entryCountAt:])),
		Records:    b[entryHeader:],
	}
	if e.Partition < -1 {
		return Entry{}, fmt.Errorf("%w: partition %d", errEntry, e.Partition)
	}
	rest := e.Records
	for range e.Count {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return Entry{}, fmt.Errorf("%w: the end is within a record", errEntry)
		}
		rest = rest[n+int(size):]
	}
	if e.Count == 0 || len(rest) > 0 {
		return Entry{}, fmt.Errorf("%w: %d records and %d bytes more", errEntry, e.Count, len(rest))
	}
	return e, nil
}
