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

// The metadata of an offset commit, which Kafka keeps for us, at most 4,096 bytes:
//
//	"sluice/1:" base64url( head, count, count × (length, range), parts, crc32c )
//	range = first − end of the one before, last − first, hash, records, sealed-at in Unix ms, flags [, lost]
//	part  = kind, length, bytes; of kind 1: epoch + 1 or 0, topic id
//
// All numbers but the hash and the checksum are varints. A range's length lets a reader pass over what a newer writer has added to
// its end, and bytes after the ranges are passed over too: old and new consumers of one group can follow each other. The version
// goes up only when an old reader must not understand it any more; it then doubts, and loses nothing.
const (
	metadataPrefix = "sluice/1:"
	// maxMetadata is what brokers take unless they are told otherwise.
	maxMetadata = 4096
)

const (
	flagSplit = 1 << 0
	flagLost  = 1 << 1 // the number of lost records follows
	flagSized = 1 << 2 // an older reader takes it for flagSplit, as any flag that it does not know
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// partOrigin is the kind of the part behind the ranges that says which log they are of.
const partOrigin = 1

// Metadata encodes what is recorded.
func (r *Ranges) Metadata() string {
	b := make([]byte, 0, 256)
	b = binary.AppendVarint(b, r.Head)
	b = binary.AppendUvarint(b, uint64(len(r.Spans)))
	end := r.Head
	var one []byte
	for _, s := range r.Spans {
		one = binary.AppendUvarint(one[:0], uint64(s.First-end)) //nolint:gosec // not negative
		one = binary.AppendUvarint(one, uint64(s.Last-s.First))  //nolint:gosec // not negative
		one = binary.LittleEndian.AppendUint64(one, s.Hash)      //
		one = binary.AppendUvarint(one, uint64(s.Records))       //nolint:gosec // not negative
		one = binary.AppendVarint(one, s.SealedAt.UnixMilli())   //
		flags := uint64(0)
		if s.Split {
			flags |= flagSplit
		}
		if s.Lost > 0 {
			flags |= flagLost
		}
		if s.Sized {
			flags |= flagSized
		}
		one = binary.AppendUvarint(one, flags)
		if s.Lost > 0 {
			one = binary.AppendUvarint(one, uint64(s.Lost))
		}
		b = binary.AppendUvarint(b, uint64(len(one)))
		b = append(b, one...)
		end = s.Last + 1
	}
	if o := r.Origin; o != (Origin{}) {
		one = append(binary.AppendUvarint(one[:0], uint64(o.Term)), o.Topic[:]...)
		b = binary.AppendUvarint(binary.AppendUvarint(b, partOrigin), uint64(len(one)))
		b = append(b, one...)
	}
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return metadataPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// DecodeMetadata reads what was committed with an offset. ok is false for what this program did not write, cannot read, or wrote
// with another offset; then nothing is known about what lies behind the offset. Empty metadata is no range, and ok.
func DecodeMetadata(offset int64, text string) (spans []Range, ok bool) {
	spans, _, ok = DecodeAll(offset, text)
	return spans, ok
}

// DecodeAll is decodeMetadata with the log that the ranges are of.
func DecodeAll(offset int64, text string) (spans []Range, of Origin, ok bool) {
	if text == "" {
		return nil, of, true
	}
	f, ok := unwrap(text)
	if !ok || f.signed() != offset {
		return nil, of, false
	}
	end := offset
	for n := f.unsigned(); n > 0; n-- {
		s, good := decodeSpan(f.take(f.unsigned()), end)
		if f.bad || !good || len(spans) == MaxRanges {
			return nil, of, false
		}
		spans = append(spans, s)
		end = s.Last + 1
	}
	if f.bad {
		return nil, of, false
	}
	for len(f.b) > 0 && !f.bad {
		kind := f.unsigned()
		if part := f.take(f.unsigned()); kind == partOrigin && !f.bad {
			of = decodeOrigin(part)
		}
	}
	return spans, of, true
}

func decodeOrigin(b []byte) Origin {
	f := fields{b: b}
	n := f.unsigned()
	id := f.take(uint64(len(uuid.UUID{})))
	if f.bad || n > math.MaxInt32 {
		return Origin{}
	}
	return Origin{Topic: uuid.UUID(id), Term: int32(n)}
}

// unwrap takes off what is around the fields of metadata, and checks it.
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
	return fields{b: b}, crc32.Checksum(b, castagnoli) == binary.LittleEndian.Uint32(sum)
}

func decodeSpan(b []byte, end int64) (Range, bool) {
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
	const most = 1 << 40 // offsets of one range, far beyond any batch; keeps the sums below from going round
	if f.bad || gap != 0 || length > most || records > length+1 || lost > length+1 || end < 0 || end > 1<<62 {
		return Range{}, false
	}
	s.First, s.Last = end, end+int64(length)
	s.Records, s.Lost = int(records), int64(lost)
	s.Sized = flags&flagSized != 0
	s.Split = flags&^flagLost != 0 // a flag that is not known yet is a reason to look as well
	return s, true
}

// fields reads varints; bad says that there was not enough.
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
