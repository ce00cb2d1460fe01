package delivery

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The metadata of an offset commit, which Kafka stores for us, at most 4,096 bytes:
//
//	"sluice/1:" base64url( head, count, count × (length, range), parts, crc32c )
//	range = first − end of the one before, last − first, hash, records, sealed-at in Unix ms, flags [, lost]
//	        [, id of the shared block]
//	part  = kind, length, bytes; of kind 1: epoch + 1 or 0, topic id; of kind 2: gaps, see gaps.go
//
// All numbers except the hash, the id of a shared block and the checksum are varints. A reader skips parts that it does
// not know. The length in front of a range lets a reader skip what a newer writer has added to the range. So old and new
// consumers of one group can take over from each other. The version goes up only if an old reader would go wrong. An old
// reader of a new version knows no ranges: it asks the table about all rows, and loses nothing.
const (
	metadataPrefix = "sluice/1:"
	// maxMetadata is the most that brokers store by default, in bytes.
	maxMetadata = 4096
)

const (
	flagSplit = 1 << 0
	flagLost  = 1 << 1 // the number of lost records follows
	flagSized = 1 << 2 // a reader that does not know a flag takes it for flagSplit
	// The id of a shared block follows. A reader that does not know it inserts what the table lacks under tokens of its
	// own.
	flagShared = 1 << 3
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// partOrigin is the kind of the part that has the origin.
const partOrigin = 1

// Metadata encodes the ranges and the origin for the commit of Head.
func (r *Ranges) Metadata() string {
	b := make([]byte, 0, 256)
	b = binary.AppendVarint(b, r.head)
	b = binary.AppendUvarint(b, uint64(len(r.ranges)))
	end := r.head
	var one []byte
	for _, s := range r.ranges {
		one = appendRange(one[:0], s, end)
		b = binary.AppendUvarint(b, uint64(len(one)))
		b = append(b, one...)
		end = s.Last + 1
	}
	if o := r.origin; o != (Origin{}) {
		one = append(binary.AppendUvarint(one[:0], uint64(o.Term)), o.Topic[:]...)
		b = binary.AppendUvarint(binary.AppendUvarint(b, partOrigin), uint64(len(one)))
		b = append(b, one...)
	}
	if len(r.gaps) > 0 {
		one = appendGaps(one[:0], r.gaps)
		b = binary.AppendUvarint(binary.AppendUvarint(b, partGaps), uint64(len(one)))
		b = append(b, one...)
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
	return metadataPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// appendRange encodes a range that follows an end.
func appendRange(b []byte, s Range, end int64) []byte {
	flags := uint64(0)
	if s.Split >= SplitForRow {
		flags |= flagSplit
	}
	if s.Lost > 0 {
		flags |= flagLost
	}
	if s.Split == SplitForSize {
		flags |= flagSized
	}
	if s.Shared != 0 {
		flags |= flagShared
	}
	b = binary.AppendUvarint(b, uint64(s.First-end))
	b = binary.AppendUvarint(b, uint64(s.Last-s.First))
	b = binary.LittleEndian.AppendUint64(b, s.Hash)
	b = binary.AppendUvarint(b, uint64(s.Records))
	b = binary.AppendVarint(b, s.SealedAt.UnixMilli())
	b = binary.AppendUvarint(b, flags)
	if s.Lost > 0 {
		b = binary.AppendUvarint(b, uint64(s.Lost))
	}
	if s.Shared != 0 {
		b = binary.LittleEndian.AppendUint64(b, s.Shared)
	}
	return b
}

// DecodeMetadata reads the metadata of a committed offset. ok is false if the metadata is not ours, is broken, has
// another version, or belongs to another offset: then nothing is known about what lies behind the offset. Empty
// metadata has no ranges, and is ok.
func DecodeMetadata(offset int64, text string) (recorded []Range, of Origin, ok bool) {
	recorded, parts, ok := decodeMetadata(offset, text)
	if part := parts[partOrigin]; part != nil {
		of = decodeOrigin(part)
	}
	return recorded, of, ok
}

// decodeMetadata reads the ranges, and finds the parts that are known.
func decodeMetadata(offset int64, text string) (recorded []Range, parts [partGaps + 1][]byte, ok bool) {
	if text == "" {
		return nil, parts, true
	}
	f, ok := unwrap(text)
	if !ok || f.signed() != offset {
		return nil, parts, false
	}
	end := offset
	for n := f.unsigned(); n > 0; n-- {
		s, good := decodeRange(f.take(f.unsigned()), end)
		if f.bad || !good || len(recorded) == MaxRanges {
			return nil, parts, false
		}
		recorded = append(recorded, s)
		end = s.Last + 1
	}
	if f.bad {
		return nil, parts, false
	}
	for len(f.b) > 0 && !f.bad {
		kind := f.unsigned()
		if part := f.take(f.unsigned()); kind < uint64(len(parts)) && !f.bad {
			parts[kind] = part
		}
	}
	return recorded, parts, true
}

func decodeOrigin(b []byte) Origin {
	f := fields{b: b}
	term := f.unsigned()
	id := f.take(uint64(len(uuid.UUID{})))
	if f.bad || term > math.MaxInt32 {
		return Origin{}
	}
	return Origin{Topic: uuid.UUID(id), Term: int32(term)}
}

// unwrap removes prefix, encoding and checksum, and checks them.
func unwrap(text string) (fields, bool) {
	body, found := strings.CutPrefix(text, metadataPrefix)
	if !found || len(text) > maxMetadata {
		return fields{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(body)
	if err != nil || len(b) < crc32.Size {
		return fields{}, false
	}
	sum := b[len(b)-crc32.Size:]
	b = b[:len(b)-crc32.Size]
	return fields{b: b}, crc32.Checksum(b, crcTable) == binary.LittleEndian.Uint32(sum)
}

func decodeRange(b []byte, end int64) (Range, bool) {
	f := fields{b: b}
	gap, length := f.unsigned(), f.unsigned()
	var s Range
	if hash := f.take(8); len(hash) == 8 {
		s.Hash = binary.LittleEndian.Uint64(hash)
	}
	records := f.unsigned()
	s.SealedAt = time.UnixMilli(f.signed()).UTC()
	flags := f.unsigned()
	lost := uint64(0)
	if flags&flagLost != 0 {
		lost = f.unsigned()
	}
	if flags&flagShared != 0 {
		if id := f.take(8); len(id) == 8 {
			s.Shared = binary.LittleEndian.Uint64(id)
		}
	}
	const most = 1 << 40 // offsets of one range, far beyond any batch; with it the sums below cannot overflow
	if f.bad || gap != 0 || length > most || records > length+1 || lost > length+1 || end < 0 || end > 1<<62 {
		return Range{}, false
	}
	s.First, s.Last = end, end+int64(length)
	s.Records, s.Lost = int(records), int64(lost)
	switch {
	case flags&flagSized != 0:
		s.Split = SplitForSize
	case flags&^(flagLost|flagShared) != 0: // an unknown flag is a reason to ask the table too
		s.Split = SplitForRow
	}
	return s, true
}

// fields reads varints. bad says that there were too few bytes.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) unsigned() uint64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.bad = true
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) signed() int64 {
	v, n := binary.Varint(f.b)
	if n <= 0 {
		f.bad = true
		return 0
	}
	f.b = f.b[n:]
	return v
}

func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.bad = true
		return nil
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}
