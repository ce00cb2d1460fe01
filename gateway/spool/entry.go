package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// An entry of the spool, as it lies on the disk. All numbers are big-endian:
//
//	 0 version      uint8    1
//	 1 sequence     uint64   one more than the entry's before it
//	 9 before       uint64   events in all entries before it
//	17 accepted at  int64    Unix ms
//	25 partition    int32    −1: any
//	29 count        uint32   records
//	33 the Records: for each its length (uvarint), then the record as Kafka's message format 2 has it from the key on
//
// The log around it adds a checksum. The two counters exist for what a file cannot say of itself: how much it should hold.
// The first entry of the next file says where this one must end.
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
	errEntry        = errors.New("the entry is not one of the spool's")
	errEntryVersion = errors.New("the spool was written by another version of the gateway")
)

// Entry is what the spool keeps: records that belong together. The spool does not look into a record.
type Entry struct {
	AcceptedAt time.Time // by the wall clock, to the millisecond
	Partition  int       // −1: any
	Count      int       // records, at least one
	Records    []byte    // each behind its length as a uvarint

	sequence, before uint64
}

// encode makes room for the counters; stamp fills them in.
func (e *Entry) encode() []byte {
	b := make([]byte, entryHeader, entryHeader+len(e.Records))
	b[0] = entryVersion
	binary.BigEndian.PutUint64(b[entryAcceptedAt:], uint64(e.AcceptedAt.UnixMilli()))
	binary.BigEndian.PutUint32(b[entryPartitionAt:], uint32(int32(e.Partition)))
	binary.BigEndian.PutUint32(b[entryCountAt:], uint32(e.Count))
	return append(b, e.Records...)
}

// stamp gives an encoded entry its place in the log.
func stampEntry(b []byte, sequence, before uint64) {
	binary.BigEndian.PutUint64(b[entrySequenceAt:], sequence)
	binary.BigEndian.PutUint64(b[entryBeforeAt:], before)
}

// decodeEntry reads an entry and looks at all of it: nothing that is not a run of records goes to Kafka. The entry's records
// are part of b.
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
			return Entry{}, fmt.Errorf("%w: it ends within a record", errEntry)
		}
		rest = rest[n+int(size):]
	}
	if e.Count == 0 || len(rest) > 0 {
		return Entry{}, fmt.Errorf("%w: %d records and %d bytes more", errEntry, e.Count, len(rest))
	}
	return e, nil
}
