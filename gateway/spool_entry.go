package gateway

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
//	33 the records: for each its length (uvarint), then the record as Kafka's message format 2 has it from the key on
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

// entry is a run of one request's whole Kafka records, as it waits in the spool.
type entry struct {
	sequence, before uint64
	acceptedAt       time.Time
	partition        int
	count            int
	records          []byte
}

// encode makes room for the counters; stamp fills them in.
func (e *entry) encode() []byte {
	b := make([]byte, entryHeader, entryHeader+len(e.records))
	b[0] = entryVersion
	binary.BigEndian.PutUint64(b[entryAcceptedAt:], uint64(e.acceptedAt.UnixMilli()))
	binary.BigEndian.PutUint32(b[entryPartitionAt:], uint32(int32(e.partition)))
	binary.BigEndian.PutUint32(b[entryCountAt:], uint32(e.count))
	return append(b, e.records...)
}

// stamp gives an encoded entry its place in the log.
func stampEntry(b []byte, sequence, before uint64) {
	binary.BigEndian.PutUint64(b[entrySequenceAt:], sequence)
	binary.BigEndian.PutUint64(b[entryBeforeAt:], before)
}

// decodeEntry reads an entry and looks at all of it: nothing that is not a run of records goes to Kafka. The entry's records
// are part of b.
func decodeEntry(b []byte) (entry, error) {
	if len(b) > 0 && b[0] != entryVersion {
		return entry{}, fmt.Errorf("%w: version %d, not %d", errEntryVersion, b[0], entryVersion)
	}
	if len(b) < entryHeader {
		return entry{}, fmt.Errorf("%w: %d bytes", errEntry, len(b))
	}
	e := entry{
		sequence:   binary.BigEndian.Uint64(b[entrySequenceAt:]),
		before:     binary.BigEndian.Uint64(b[entryBeforeAt:]),
		acceptedAt: time.UnixMilli(int64(binary.BigEndian.Uint64(b[entryAcceptedAt:]))),
		partition:  int(int32(binary.BigEndian.Uint32(b[entryPartitionAt:]))),
		count:      int(binary.BigEndian.Uint32(b[entryCountAt:])),
		records:    b[entryHeader:],
	}
	if e.partition < -1 {
		return entry{}, fmt.Errorf("%w: partition %d", errEntry, e.partition)
	}
	rest := e.records
	for range e.count {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return entry{}, fmt.Errorf("%w: it ends within a record", errEntry)
		}
		rest = rest[n+int(size):]
	}
	if e.count == 0 || len(rest) > 0 {
		return entry{}, fmt.Errorf("%w: %d records and %d bytes more", errEntry, e.count, len(rest))
	}
	return e, nil
}
