package recordbatch

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// codecNone is the number of "not compressed" among a batch's attributes; the others are with their codecs.
const codecNone = 0

// codec compresses the records of a batch as a whole. It is for one goroutine.
type codec interface {
	// id is the codec's number among the attributes of a batch.
	id() int
	// compress appends the compressed form of src to dst.
	compress(dst, src []byte) []byte
}

// newCodec makes the codec of that name; nil is none. The names are Kafka's.
func newCodec(name string) (codec, error) {
	switch name {
	case "", "none":
		return nil, nil
	case "gzip":
		z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
		if err != nil {
			return nil, fmt.Errorf("gzip: %w", err)
		}
		return &gzipCodec{z: z}, nil
	case "snappy":
		return snappyCodec{}, nil
	case "lz4":
		return newLZ4()
	case "zstd":
		// A batch is compressed at once, by the goroutine that asks; its window need not be larger than a batch.
		z, err := zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
		if err != nil {
			return nil, fmt.Errorf("zstd: %w", err)
		}
		return zstdCodec{z}, nil
	default:
		return nil, fmt.Errorf("%q is not known; use none, lz4, zstd, snappy or gzip", name)
	}
}

// sink lets a compressor that writes to an io.Writer append to a slice.
type sink struct{ b []byte }

// Write is part of io.Writer. It never fails.
func (s *sink) Write(p []byte) (int, error) {
	s.b = append(s.b, p...)
	return len(p), nil
}

type gzipCodec struct {
	z   *gzip.Writer
	out sink
}

func (*gzipCodec) id() int { return 1 }

func (c *gzipCodec) compress(dst, src []byte) []byte {
	c.out.b = dst
	c.z.Reset(&c.out)
	_, _ = c.z.Write(src) // the sink never fails
	_ = c.z.Close()
	dst, c.out.b = c.out.b, nil
	return dst
}

// snappyCodec writes one plain snappy block. Kafka's Java readers expect a framing of their own but take a plain block
// too, as do kafka-go and franz-go.
type snappyCodec struct{}

func (snappyCodec) id() int { return 2 }

func (snappyCodec) compress(dst, src []byte) []byte {
	at := len(dst)
	dst = grow(dst, s2.MaxEncodedLen(len(src)))
	return dst[:at+len(s2.EncodeSnappy(dst[at:cap(dst)], src))]
}

// lz4Codec writes an LZ4 frame with independent blocks, the only kind that Kafka's Java reader takes.
type lz4Codec struct {
	z   *lz4.Writer
	out sink
}

func newLZ4() (*lz4Codec, error) {
	z := lz4.NewWriter(io.Discard)
	err := z.Apply(lz4.BlockSizeOption(lz4.Block256Kb), lz4.ConcurrencyOption(1), lz4.ChecksumOption(false))
	if err != nil {
		return nil, fmt.Errorf("lz4: %w", err)
	}
	return &lz4Codec{z: z}, nil
}

func (*lz4Codec) id() int { return 3 }

func (c *lz4Codec) compress(dst, src []byte) []byte {
	c.out.b = dst
	c.z.Reset(&c.out)
	_, _ = c.z.Write(src) // the sink never fails
	_ = c.z.Close()
	dst, c.out.b = c.out.b, nil
	return dst
}

type zstdCodec struct{ z *zstd.Encoder }

func (zstdCodec) id() int { return 4 }

func (c zstdCodec) compress(dst, src []byte) []byte { return c.z.EncodeAll(src, dst) }
