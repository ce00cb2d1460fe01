package gateway

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

	"sluice/gateway/body/bodytest"
)

// readerOf returns a reader of bodies of at most most bytes, without a budget.
func readerOf(t testing.TB, most int) *bodyReader {
	t.Helper()
	pool, err := newBodyPool(0, most, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pool.reader(most)
}

// TestBombsStayCheap: what a small body makes the decoders allocate is bounded by the limit and the largest window, whatever
// the body says about itself.
func TestBombsStayCheap(t *testing.T) {
	limit := readerOf(t, 1<<20)
	small := []struct {
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
	}
	const most = 24 << 20 // brotli's window of 16 MiB and a buffer that doubled its way to the limit
	for _, b := range small {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var dst bodyBuffer
		if err := limit.decompress(b.as, bytes.NewBufferString(b.bytes), &dst); err == nil {
			t.Errorf("%s: was taken", b.name)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > most {
			t.Errorf("%s: %d bytes for a body of %d", b.name, took, len(b.bytes))
		}
	}
}

// TestZstdSizes: bodies that grow little, much, and to just the limit, from encoders that say the size and that do not.
func TestZstdSizes(t *testing.T) {
	limit := readerOf(t, 1<<20)
	writer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 1000, bodytest.ZstdBlock, bodytest.ZstdBlock + 1, 300_000, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20} {
		for what, text := range map[string]string{
			"spaces": strings.Repeat(" ", n),
			"text":   strings.Repeat("all work and no play makes jack a dull boy, said number 17\n", n/50+1)[:n],
			"digits": digits(n),
		} {
			for how, body := range map[string]string{
				"sized":    string(writer.EncodeAll([]byte(text), nil)),
				"streamed": bodytest.Compress("zstd", text),
				"split":    string(writer.EncodeAll([]byte(text[:n/2]), nil)) + string(writer.EncodeAll([]byte(text[n/2:]), nil)),
			} {
				var dst bodyBuffer
				err := limit.decompress(codingZstd, bytes.NewBufferString(body), &dst)
				switch {
				case n <= limit.limit && (err != nil || dst.String() != text):
					t.Errorf("%d %s, %s: got %v and %d bytes", n, what, how, err, dst.Len())
				case n > limit.limit && !errors.Is(err, errDecodedTooLarge):
					t.Errorf("%d %s, %s: got %v", n, what, how, err)
				}
			}
		}
	}
}

// digits are n digits that a compressor cannot do much about.
func digits(n int) string {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test
	b := make([]byte, n)
	for i := range b {
		b[i] = '0' + byte(rnd.IntN(10))
	}
	return string(b)
}

// FuzzDecompress: no input makes a decoder yield more than the limit, hold more memory than a few times the limit, or panic;
// and where the standard library knows the format, it reads the same bytes.
func FuzzDecompress(f *testing.F) {
	const most = 10_000
	limit := readerOf(f, most)
	codings := map[string]encoding{"gzip": codingGzip, "deflate": codingDeflate, "deflate, bare": codingDeflate, "zstd": codingZstd, "br": codingBrotli}
	for name, coding := range codings {
		for _, n := range []int{0, 1, 300, most - 1, most, most + 1, 100 * most} {
			f.Add(uint8(coding), []byte(bodytest.Compress(name, strings.Repeat("event ", n)[:n])))
		}
	}
	f.Add(uint8(codingZstd), []byte(bodytest.ZstdBomb()[:1000]))
	f.Add(uint8(codingZstd), []byte(bodytest.ZstdFrame(0xFF, bodytest.ZstdRaw("x"))))
	f.Add(uint8(codingZstd), []byte(bodytest.ZstdFrame(0, bodytest.ZstdRun(6000, true))+bodytest.ZstdFrame(0, bodytest.ZstdRun(6000, true))))
	f.Fuzz(func(t *testing.T, coding uint8, data []byte) {
		as := encoding(coding) % (codingBrotli + 1)
		var dst bodyBuffer
		err := limit.decompress(as, bytes.NewBuffer(bytes.Clone(data)), &dst)
		if dst.Cap() > 4*most+bodytest.ZstdBlock {
			t.Fatalf("a buffer of %d bytes", dst.Cap())
		}
		if err != nil {
			if !errors.Is(err, errCorrupt) && !errors.Is(err, errDecodedTooLarge) {
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

// standard decodes with the standard library, or with zstd's other decoder.
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
	case as == codingZstd: // the decoder's other way of working
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
