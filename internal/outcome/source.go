package outcome

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
)

// SourceOf makes the source of a name, the same each time: a UUIDv8 of the name's SHA-256. The name is a range's token,
// or a record's topic, partition and offset.
func SourceOf(name string) uuid.UUID {
	sum := sha256.Sum256([]byte(name))
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0F|0x80, id[8]&0x3F|0x80 // RFC 9562, section 5.8
	return id
}

// Range is a recorded range of a partition, as the source of what it counts names it.
type Range struct {
	Topic       string
	Partition   int
	First, Last int64 // offsets, both included
}

// Bits of a range's source, a UUIDv8, from the highest: 48 of the first offset, 4 of the version, 4 of rangeMark, 8 of
// the topic's hash, 2 of the variant, 14 of the partition, 24 of the length, 8 of rangeMark, 16 of the name's hash.
const (
	rangeMark      = 0xD5A
	rangeOffset    = 1<<48 - 1
	rangePartition = 1<<14 - 1
	rangeLength    = 1<<24 - 1
)

// SourceOfRange makes the source of a recorded range. It says which offsets the range has, so that somebody who has
// only the counts can compare them with the offsets. The name tells the range from others with the same offsets, of a
// topic that was created anew.
func SourceOfRange(r Range, name string) (id uuid.UUID) {
	sum := sha256.Sum256([]byte(name))
	partition := uint64(r.Partition) & rangePartition
	length := uint64(min(r.Last-r.First, rangeLength))
	high := uint64(r.First)&rangeOffset<<16 | 0x8000 | rangeMark>>8<<8 | uint64(topicHash(r.Topic))
	low := 1<<63 | partition<<48 | length<<24 | rangeMark&0xFF<<16 | uint64(sum[0])<<8 | uint64(sum[1])
	binary.BigEndian.PutUint64(id[:8], high)
	binary.BigEndian.PutUint64(id[8:], low)
	return id
}

// IsRange reports whether a source is that of a recorded range, of whatever topic.
func IsRange(id uuid.UUID) bool {
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	return high>>8&0xF<<8|low>>16&0xFF == rangeMark
}

// RangeOf reads the source of a range of a topic. It is not ok for the source of a range of another topic, or of
// something else.
func RangeOf(id uuid.UUID, topic string) (r Range, ok bool) {
	high, low := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
	if !IsRange(id) || byte(high) != topicHash(topic) {
		return Range{}, false
	}
	r = Range{Topic: topic, Partition: int(low >> 48 & rangePartition), First: int64(high >> 16)}
	r.Last = r.First + int64(low>>24&rangeLength)
	return r, true
}

func topicHash(topic string) byte { return sha256.Sum256([]byte(topic))[0] }
