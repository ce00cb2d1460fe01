package consumer

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"sluice/internal/event"
)

// batchReader reads record batches as they are on the topic. Its memory is reused; it is not safe for concurrent use.
type batchReader struct {
	plain  []byte // the last batch, decompressed
	record record
	names  map[string]string // of headers, so that a name is not allocated for every record
	shape  shape             // of record's headers, and what they are like
	values []place           // of the values of record's headers
	gzip   *gzip.Reader
	lz4    *lz4.Reader
	zstd   *zstd.Decoder
	stamp  stamp // of the batch that is read
}

const (
	// batchHead is a batch's size before its records: offset, length, epoch, magic, checksum, attributes, last offset, two
	// times, producer and its epoch and sequence, count.
	batchHead = 8 + 4 + 4 + 1 + 4 + 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4
	// maxPlain bounds a batch after decompression.
	maxPlain = 256 << 20

	attributeCodec         = 7
	attributeLogAppendTime = 1 << 3
	attributeControl       = 1 << 5
)

// stamp is where a batch's records have their times from: from the batch's first time on, or, where the broker stamps, all the same.
type stamp struct {
	base, most int64 // Unix milliseconds
	broker     bool
}

func (s stamp) of(delta int64) int64 {
	if s.broker {
		return s.most
	}
	return s.base + delta
}

// read calls each with the records from offset on, and returns the offset behind the last whole batch, 0 without one. The
// last batch of a fetch may be cut off.
func (br *batchReader) read(set []byte, offset int64, each func(*record) error) (next int64, err error) {
	for len(set) >= batchHead {
		head := wire{b: set}
		base := head.int64()
		length := int(head.int32())
		if length < batchHead-12 || length > len(set)-12 {
			break
		}
		batch := set[:12+length]
		set = set[12+length:]
		head = wire{b: batch[12:]}
		head.skip(4)
		if magic := head.int8(); magic != 2 {
			return next, fmt.Errorf("fetch: the batch at %d has the format of Kafka before 0.11 (magic %d)", base, magic)
		}
		sum := uint32(head.int32()) //nolint:gosec // as it is on the wire
		if crc32.Checksum(head.b, castagnoli) != sum {
			return next, fmt.Errorf("fetch: the checksum of the batch at %d is wrong", base)
		}
		attributes := head.int16()
		last := base + int64(head.int32())
		br.stamp = stamp{base: head.int64(), most: head.int64(), broker: attributes&attributeLogAppendTime != 0}
		head.skip(8 + 2 + 4)
		count := int(head.int32())
		if last < offset || attributes&attributeControl != 0 { // from before, or a transaction's marker
			next = last + 1
			continue
		}
		plain, err := br.decompress(attributes&attributeCodec, head.b)
		if err != nil {
			return next, fmt.Errorf("fetch: the batch at %d: %w", base, err)
		}
		if err := br.records(plain, base, count, offset, each); err != nil {
			return next, err
		}
		next = last + 1
	}
	return next, nil
}

var errShortRecord = errors.New("a record ends too early")

func (br *batchReader) records(b []byte, base int64, count int, offset int64, each func(*record) error) error {
	w := wire{b: b}
	for range count {
		one := wire{b: w.take(int(w.varint()))}
		one.skip(1)
		r := &br.record
		r.atMillis = br.stamp.of(one.varint())
		r.offset = base + one.varint()
		r.key = one.nullable()
		r.raw = one.b
		r.value = one.nullable()
		br.headers(&one)
		if w.bad || one.bad {
			return fmt.Errorf("fetch: the batch at %d: %w", base, errShortRecord)
		}
		r.raw = r.raw[:len(r.raw)-len(one.b)]
		if r.offset < offset {
			continue
		}
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

// headers reads the record's headers.
func (br *batchReader) headers(w *wire) {
	r, all := &br.record, w.b
	if br.shape.match(all) {
		br.shape.fill(all, r.headers)
		w.b = nil
		return
	}
	br.shape.size = 0
	r.headers, br.values = r.headers[:0], br.values[:0]
	for n := w.varint(); n > 0 && !w.bad; n-- {
		name := w.take(int(w.varint()))
		value := w.nullable()
		end := len(all) - len(w.b)
		at := place{end - len(value), end}
		if value == nil {
			at.from = end + 1
		}
		br.values = append(br.values, at)
		r.headers = append(r.headers, event.Header{Key: br.name(name), Value: value})
	}
	if !w.bad && len(w.b) == 0 {
		br.shape.learn(all, br.values)
	}
}

// nullable reads bytes with their length before them, which is -1 for null.
func (w *wire) nullable() []byte {
	n := w.varint()
	if n < 0 {
		return nil
	}
	return w.take(int(n))
}

// name makes a string of a header's name. The few that there are in practice are kept.
func (br *batchReader) name(b []byte) string {
	if s, ok := event.HeaderName(b); ok {
		return s
	}
	if s, ok := br.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if br.names == nil {
		br.names = map[string]string{}
	}
	if len(br.names) < 64 && len(s) < 64 {
		br.names[s] = s
	}
	return s
}

// xerial is how Java's snappy begins a stream of blocks; other clients send one block.
var xerial = []byte("\x82SNAPPY\x00")

func (br *batchReader) decompress(codec int16, b []byte) ([]byte, error) {
	var err error
	out := br.plain[:0]
	switch codec {
	case 0:
		return b, nil
	case 1:
		if br.gzip == nil {
			br.gzip = new(gzip.Reader)
		}
		if err = br.gzip.Reset(bytes.NewReader(b)); err == nil {
			out, err = readInto(out, br.gzip)
		}
	case 2:
		out, err = unsnap(out, b)
	case 3:
		if br.lz4 == nil {
			br.lz4 = lz4.NewReader(nil)
		}
		br.lz4.Reset(bytes.NewReader(b))
		out, err = readInto(out, br.lz4)
	case 4:
		if br.zstd == nil {
			if br.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlain)); err != nil {
				return nil, fmt.Errorf("zstd: %w", err)
			}
		}
		out, err = br.zstd.DecodeAll(b, out)
	default:
		return nil, fmt.Errorf("compression codec %d is not known", codec)
	}
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	br.plain = out
	if cap(out) > 8<<20 {
		br.plain = nil // a giant is not kept
	}
	return out, nil
}

var errTooLarge = errors.New("it is larger than 256 MiB when decompressed")

// readInto reads r to its end behind out.
func readInto(out []byte, r io.Reader) ([]byte, error) {
	for {
		if len(out) == cap(out) {
			out = append(out, make([]byte, max(64<<10, len(out)))...)[:len(out)]
		}
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, err //nolint:wrapcheck // the caller does
		case len(out) > maxPlain:
			return out, errTooLarge
		}
	}
}

func unsnap(out, b []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, xerial) {
		return snap(out, b)
	}
	w := wire{b: b}
	w.skip(len(xerial) + 8) // two version numbers
	for len(w.b) > 0 {
		block := w.take(int(w.int32()))
		if w.bad {
			return out, io.ErrUnexpectedEOF
		}
		var err error
		if out, err = snap(out, block); err != nil {
			return out, err
		}
	}
	return out, nil
}

// snap appends one block.
func snap(out, block []byte) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return out, err //nolint:wrapcheck // the caller does
	}
	if len(out)+n > maxPlain {
		return out, errTooLarge
	}
	start := len(out)
	if cap(out) < start+n {
		out = append(out, make([]byte, n)...)
	}
	out = out[:start+n]
	if _, err := s2.Decode(out[start:start+n:start+n], block); err != nil {
		return out, err //nolint:wrapcheck // the caller does
	}
	return out, nil
}
