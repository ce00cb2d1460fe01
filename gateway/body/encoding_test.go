package body

import (
	"bytes"
	stdflate "compress/flate"
	stdgzip "compress/gzip"
	stdzlib "compress/zlib"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/body/bodytest"
)

// readerOf returns a reader of bodies of at most limit bytes, without a budget.
func readerOf(t testing.TB, limit int) *Reader {
	t.Helper()
	pool, err := NewPool(Config{Largest: limit})
	require.NoError(t, err)
	return pool.Reader(limit)
}

// TestBombsStayCheap: the limit and the largest window bound what a small body makes a decoder allocate, whatever the
// body says about itself. Not parallel: it measures allocations.
func TestBombsStayCheap(t *testing.T) {
	r := readerOf(t, 1<<20)
	const most = 24 << 20 // brotli's window of 16 MiB, and a buffer that doubled up to the limit
	for _, b := range []struct {
		name  string
		as    encoding
		bytes string
	}{
		{"zstd", codingZstd, bodytest.ZstdBomb()},
		{"zstd frames", codingZstd, bodytest.ZstdManyFrames()},
		{"zstd window", codingZstd, bodytest.ZstdFrame(0xFF, bodytest.ZstdRun(bodytest.ZstdBlock, true))},
		{"gzip", codingGzip, bodytest.Bomb("gzip")},
		{"zlib", codingDeflate, bodytest.Bomb("deflate")},
		{"deflate", codingDeflate, bodytest.Bomb("deflate, bare")},
		{"brotli", codingBrotli, bodytest.Bomb("br")},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var dst Buffer
		err := r.decompress(b.as, bytes.NewBufferString(b.bytes), &dst)
		runtime.ReadMemStats(&after)
		assert.Error(t, err, b.name)
		took := after.TotalAlloc - before.TotalAlloc
		assert.LessOrEqual(t, took, uint64(most), "%s: a body of %d bytes", b.name, len(b.bytes))
	}
}

// TestZstdSizes: bodies that grow little, much, and just to the limit, from encoders that announce the size and that
// do not.
func TestZstdSizes(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	r := readerOf(t, limit)
	writer, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	for _, n := range []int{
		1, 1000, bodytest.ZstdBlock, bodytest.ZstdBlock + 1, 300_000, limit - 1, limit, limit + 1, 3 * limit,
	} {
		for what, text := range map[string]string{
			"spaces": strings.Repeat(" ", n),
			"text":   strings.Repeat("all work and no play makes jack a dull boy, said number 17\n", n/50+1)[:n],
			"digits": digits(n),
		} {
			first, second := writer.EncodeAll([]byte(text[:n/2]), nil), writer.EncodeAll([]byte(text[n/2:]), nil)
			for how, body := range map[string]string{
				"sized":    string(writer.EncodeAll([]byte(text), nil)),
				"streamed": bodytest.Compress("zstd", text),
				"split":    string(first) + string(second),
			} {
				var dst Buffer
				err := r.decompress(codingZstd, bytes.NewBufferString(body), &dst)
				if n > limit {
					assert.ErrorIs(t, err, ErrDecodedTooLarge, "%d %s, %s", n, what, how)
					continue
				}
				assert.NoError(t, err, "%d %s, %s", n, what, how)
				assert.True(t, dst.String() == text, "%d %s, %s: got %d bytes", n, what, how, dst.Len())
			}
		}
	}
}

// digits returns n digits, which hardly compress.
func digits(n int) string {
	rnd := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = '0' + byte(rnd.IntN(10))
	}
	return string(b)
}

// FuzzDecompress: no input makes a decoder write more than the limit, hold more than a few times the limit, or panic.
// Where the standard library knows the format, it reads the same bytes.
func FuzzDecompress(f *testing.F) {
	const most = 10_000
	r := readerOf(f, most)
	codings := map[string]encoding{
		"gzip": codingGzip, "deflate": codingDeflate, "deflate, bare": codingDeflate, "zstd": codingZstd, "br": codingBrotli,
	}
	for name, coding := range codings {
		for _, n := range []int{0, 1, 300, most - 1, most, most + 1, 100 * most} {
			f.Add(uint8(coding), []byte(bodytest.Compress(name, strings.Repeat("event ", n)[:n])))
		}
	}
	f.Add(uint8(codingZstd), []byte(bodytest.ZstdBomb()[:1000]))
	f.Add(uint8(codingZstd), []byte(bodytest.ZstdFrame(0xFF, bodytest.ZstdRaw("x"))))
	frame := bodytest.ZstdFrame(0, bodytest.ZstdRun(6000, true))
	f.Add(uint8(codingZstd), []byte(frame+frame))
	f.Fuzz(func(t *testing.T, coding uint8, data []byte) {
		as := encoding(coding) % (codingBrotli + 1)
		var dst Buffer
		err := r.decompress(as, bytes.NewBuffer(bytes.Clone(data)), &dst)
		if dst.Cap() > 4*most+bodytest.ZstdBlock {
			t.Fatalf("a buffer of %d bytes", dst.Cap())
		}
		if err != nil {
			if !errors.Is(err, errCorrupt) && !errors.Is(err, ErrDecodedTooLarge) {
				t.Fatalf("refused as %v", err)
			}
			return
		}
		if dst.Len() > most {
			t.Fatalf("%d bytes", dst.Len())
		}
		if want, known := standard(as, data); known && !bytes.Equal(want, dst.Bytes()) {
			t.Fatalf("the standard library reads %d bytes, we %d", len(want), dst.Len())
		}
	})
}

var zstdInMemory = sync.OnceValue(func() *zstd.Decoder {
	z, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(zstdWindow))
	if err != nil {
		panic(err)
	}
	return z
})

// standard decodes with the standard library, or with the other decoder of the zstd package. known is false for brotli.
func standard(as encoding, data []byte) (text []byte, known bool) {
	if len(data) == 0 {
		return nil, true
	}
	var r io.Reader
	var err error
	switch {
	case as == codingGzip:
		r, err = stdgzip.NewReader(bytes.NewReader(data))
	case as == codingDeflate && data[0]&0x0F == zlibMethod:
		r, err = stdzlib.NewReader(bytes.NewReader(data))
	case as == codingDeflate:
		r = stdflate.NewReader(bytes.NewReader(data))
	case as == codingZstd:
		text, err = zstdInMemory().DecodeAll(data, nil)
		if err != nil {
			text = []byte(fmt.Sprintf("an error: %v", err))
		}
		return text, true
	default:
		return nil, false
	}
	if err == nil {
		text, err = io.ReadAll(r)
	}
	if err != nil {
		return []byte(fmt.Sprintf("an error: %v", err)), true
	}
	return text, true
}
