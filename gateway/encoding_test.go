package gateway

import (
	"bytes"
	stdflate "compress/flate"
	stdgzip "compress/gzip"
	stdzlib "compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// compressors write a text in each encoding; deflate in both of its forms.
var compressors = map[string]func(io.Writer) io.WriteCloser{
	"gzip":    func(w io.Writer) io.WriteCloser { return stdgzip.NewWriter(w) },
	"deflate": func(w io.Writer) io.WriteCloser { return stdzlib.NewWriter(w) },
	"deflate, bare": func(w io.Writer) io.WriteCloser {
		zw, err := stdflate.NewWriter(w, stdflate.DefaultCompression)
		if err != nil {
			panic(err)
		}
		return zw
	},
	"zstd": func(w io.Writer) io.WriteCloser {
		zw, err := zstd.NewWriter(w)
		if err != nil {
			panic(err)
		}
		return zw
	},
	"br": func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 5) },
}

func compressed(t testing.TB, name, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := compressors[name](&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// encoded is a request whose body is compressed so.
func encoded(t testing.TB, path, name, text string) request {
	coding, _, _ := strings.Cut(name, ",")
	return request{path: path, body: compressed(t, name, text), header: map[string]string{"Content-Encoding": coding}}
}

// zstdFrame is a frame without a content size and a checksum, with a window descriptor (RFC 8878, section 3.1.1).
func zstdFrame(window byte, blocks ...string) string {
	return "\x28\xB5\x2F\xFD\x00" + string([]byte{window}) + strings.Join(blocks, "")
}

// zstdRun is a block of n equal bytes in four bytes; last ends the frame.
func zstdRun(n int, last bool) string {
	head := n<<3 | 1<<1
	if last {
		head |= 1
	}
	return string([]byte{byte(head), byte(head >> 8), byte(head >> 16), ' '})
}

// zstdRaw is a last block with its bytes as they are.
func zstdRaw(text string) string {
	head := len(text)<<3 | 1
	return string([]byte{byte(head), byte(head >> 8), byte(head >> 16)}) + text
}

const (
	zstdBlock       = 128 << 10 // the largest block
	zstdSmallWindow = 10 << 3   // 1 MiB
)

// zstdBomb is 512 MiB in 16 KiB.
var zstdBomb = sync.OnceValue(func() string {
	return zstdFrame(zstdSmallWindow, strings.Repeat(zstdRun(zstdBlock, false), 4095), zstdRun(zstdBlock, true))
})

// zstdManyFrames is 5 MiB over and over: each frame alone is within the limit.
var zstdManyFrames = sync.OnceValue(func() string {
	frame := zstdFrame(zstdSmallWindow, strings.Repeat(zstdRun(zstdBlock, false), 39), zstdRun(zstdBlock, true))
	return strings.Repeat(frame, 1000)
})

// bombs are 16 MiB of spaces in each encoding: three times the largest limit. Making them is what takes time.
var bombs = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for name, compressor := range compressors {
		var b bytes.Buffer
		w := compressor(&b)
		if _, err := io.WriteString(w, strings.Repeat(" ", 16<<20)); err != nil {
			panic(err)
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
		out[name] = b.String()
	}
	return out
})

func limitOf(t testing.TB, most int) bodyLimit {
	t.Helper()
	slots, err := newZstdSlots(most)
	if err != nil {
		t.Fatal(err)
	}
	return bodyLimit{bytes: most, name: limitEventBytes, zstd: slots}
}

func TestEncodings(t *testing.T) {
	s := serve(t)
	text := `{"message":"` + strings.Repeat("compress me ", 1000) + `"}`
	for name := range compressors {
		for _, path := range []string{pathEvents, pathBulk} {
			body := text
			if path == pathBulk {
				body = "[" + text + "," + text + "]"
			}
			r := encoded(t, path, name, body)
			for _, spelling := range []string{r.header["Content-Encoding"], strings.ToUpper(r.header["Content-Encoding"])} {
				r.header["Content-Encoding"] = spelling
				if got := s.do(r); got.status != 202 || got.body.Rejected != 0 {
					t.Errorf("%s as %s on %s: got %d %s", name, spelling, path, got.status, got.text)
				}
			}
		}
	}
	for i, r := range s.producer.stored() {
		if string(r.Value) != text {
			t.Fatalf("record %d holds %.100q", i, r.Value)
		}
	}
	if n := len(s.producer.stored()); n != len(compressors)*2*3 {
		t.Errorf("%d records", n)
	}
}

// TestBrokenEncodings: what cannot be decoded to its end, or holds more than the limit, is refused; nothing of it is kept.
func TestBrokenEncodings(t *testing.T) {
	s := serve(t)
	ok := `{"message":"` + strings.Repeat("x", 300) + `"}`
	for name := range compressors {
		whole := encoded(t, pathEvents, name, ok)
		for what, body := range map[string]string{
			"cut by a byte":     whole.body[:len(whole.body)-1],
			"cut in the middle": whole.body[:len(whole.body)/2],
			"its first byte":    whole.body[:1],
			"a byte behind":     whole.body + "x",
			"a zero behind":     whole.body + "\x00",
			"plain":             ok,
			"the layer twice":   compressed(t, name, whole.body),
		} {
			r := whole
			r.body = body
			if got := s.do(r); got.status != 400 || got.body.Code != "malformed" {
				t.Errorf("%s, %s: got %d %s", name, what, got.status, got.text)
			}
		}
		r := whole
		if r.body = ""; true {
			if got := s.do(r); got.status != 400 || got.body.Code != "empty" {
				t.Errorf("%s of no bytes: got %d %s", name, got.status, got.text)
			}
		}
		r.body = compressed(t, name, "")
		if got := s.do(r); got.status != 400 || got.body.Code != "empty" {
			t.Errorf("%s of an empty text: got %d %s", name, got.status, got.text)
		}
	}
	spoilt := func(name string, fromEnd int) string {
		b := []byte(compressed(t, name, ok))
		b[len(b)-fromEnd] ^= 1
		return string(b)
	}
	window := func(descriptor byte) string { return zstdFrame(descriptor, zstdRaw(`{"message":"x"}`)) }
	skippable := "\x50\x2A\x4D\x18\x03\x00\x00\x00abc"
	tests := []struct {
		name, coding, body string
		status             int
		code, limit        string
	}{
		{"gzip checksum", "gzip", spoilt("gzip", 8), 400, "malformed", ""},
		{"gzip length", "gzip", spoilt("gzip", 1), 400, "malformed", ""},
		{"zlib checksum", "deflate", spoilt("deflate", 1), 400, "malformed", ""},
		{"zlib with a dictionary", "deflate", "\x78\xbb\x00\x00\x00\x05" + compressed(t, "deflate, bare", ok), 400, "malformed", ""},
		{"zstd checksum", "zstd", spoilt("zstd", 1), 400, "malformed", ""},
		{"zstd, a frame cut off behind a whole one", "zstd", window(0) + window(0)[:8], 400, "malformed", ""},
		{"zstd that needs a dictionary", "zstd", "\x28\xB5\x2F\xFD\x01\x00\x07" + zstdRaw(`{"message":"x"}`), 400, "malformed", ""},
		{"zstd, a window of 8 MiB", "zstd", window(13 << 3), 202, "", ""},
		{"zstd, a window of 9 MiB", "zstd", window(13<<3 | 1), 400, "malformed", ""},
		{"zstd, a window of 2 GiB", "zstd", window(21 << 3), 400, "malformed", ""},
		{"zstd, the largest window", "zstd", window(0xFF), 400, "malformed", ""},
		{"zstd of one segment said to be 2 GiB", "zstd", "\x28\xB5\x2F\xFD\xA0\x00\x00\x00\x80" + zstdRaw("{}"), 413, "too_large", limitEventBytes},
		{"zstd, less than it says", "zstd", "\x28\xB5\x2F\xFD\x20\xFF" + zstdRaw(`{"message":"x"}`), 400, "malformed", ""},
		{"zstd, more than it says", "zstd", "\x28\xB5\x2F\xFD\x20\x01" + zstdRaw(`{"message":"x"}`), 400, "malformed", ""},
		{"zstd behind a skippable frame", "zstd", skippable + window(0) + skippable, 202, "", ""},
		{"zstd, skippable frames only", "zstd", skippable + skippable, 400, "empty", ""},
		{"zstd, a skippable frame cut off", "zstd", window(0) + "\x50\x2A\x4D\x18\xFF\xFF\xFF\xFFabc", 400, "malformed", ""},
		{"zstd, two frames", "zstd", zstdFrame(0, zstdRaw(`{"mess`)) + zstdFrame(0, zstdRaw(`age":"x"}`)), 202, "", ""},
		{"zstd, 512 MiB in 16 KiB", "zstd", zstdBomb(), 413, "too_large", limitEventBytes},
		{"zstd, many frames", "zstd", zstdManyFrames(), 413, "too_large", limitEventBytes},
		{"gzip, 16 MiB", "gzip", bombs()["gzip"], 413, "too_large", limitEventBytes},
		{"zlib, 16 MiB", "deflate", bombs()["deflate"], 413, "too_large", limitEventBytes},
		{"bare deflate, 16 MiB", "deflate", bombs()["deflate, bare"], 413, "too_large", limitEventBytes},
		{"brotli, 16 MiB", "br", bombs()["br"], 413, "too_large", limitEventBytes},
		{"brotli with a large window", "br", "\x11\x1e" + compressed(t, "br", ok), 400, "malformed", ""},
		{"compress", "compress", ok, 415, "unsupported_media_type", ""},
		{"two layers", "zstd, gzip", ok, 415, "unsupported_media_type", ""},
		{"two plain layers", "identity, identity", ok, 415, "unsupported_media_type", ""},
		{"a comma", "gzip,", ok, 415, "unsupported_media_type", ""},
		{"a parameter", "gzip;q=1", ok, 415, "unsupported_media_type", ""},
	}
	kept := 0
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := s.do(request{path: pathEvents, body: test.body, header: map[string]string{"Content-Encoding": test.coding}})
			if got.status != test.status || got.body.Code != test.code || got.body.Limit != test.limit {
				t.Errorf("got %d %s, want %d %s %s", got.status, got.text, test.status, test.code, test.limit)
			}
			if got.status == 415 && got.header.Get("Accept-Encoding") != acceptedEncodings {
				t.Errorf("Accept-Encoding: %q", got.header.Get("Accept-Encoding"))
			}
			if test.status == 202 {
				kept++
			}
		})
	}
	if n := len(s.producer.stored()); n != kept {
		t.Errorf("%d events were kept, want %d", n, kept)
	}
}

// TestBombsStayCheap: what a small body makes the decoders allocate is bounded by the limit and the largest window, whatever
// the body says about itself.
func TestBombsStayCheap(t *testing.T) {
	limit := limitOf(t, 1<<20)
	small := []struct {
		name  string
		as    encoding
		bytes string
	}{
		{"zstd", codingZstd, zstdBomb()},
		{"zstd frames", codingZstd, zstdManyFrames()},
		{"zstd window", codingZstd, zstdFrame(0xFF, zstdRun(zstdBlock, true))},
		{"gzip", codingGzip, bombs()["gzip"]},
		{"zlib", codingDeflate, bombs()["deflate"]},
		{"deflate", codingDeflate, bombs()["deflate, bare"]},
		{"brotli", codingBrotli, bombs()["br"]},
	}
	const most = 24 << 20 // brotli's window of 16 MiB and a buffer that doubled its way to the limit
	for _, b := range small {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var dst bodyBuffer
		if p := limit.decompress(b.as, bytes.NewBufferString(b.bytes), &dst); p == nil {
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
	limit := limitOf(t, 1<<20)
	writer, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 1000, zstdBlock, zstdBlock + 1, 300_000, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3 << 20} {
		for what, text := range map[string]string{
			"spaces": strings.Repeat(" ", n),
			"text":   strings.Repeat("all work and no play makes jack a dull boy, said number 17\n", n/50+1)[:n],
			"digits": digits(n),
		} {
			for how, body := range map[string]string{
				"sized":    string(writer.EncodeAll([]byte(text), nil)),
				"streamed": compressed(t, "zstd", text),
				"split":    string(writer.EncodeAll([]byte(text[:n/2]), nil)) + string(writer.EncodeAll([]byte(text[n/2:]), nil)),
			} {
				var dst bodyBuffer
				p := limit.decompress(codingZstd, bytes.NewBufferString(body), &dst)
				switch {
				case n <= limit.bytes && (p != nil || dst.String() != text):
					t.Errorf("%d %s, %s: got %v and %d bytes", n, what, how, p, dst.Len())
				case n > limit.bytes && (p == nil || p.kind != kindTooLarge):
					t.Errorf("%d %s, %s: got %v", n, what, how, p)
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
	limit := limitOf(f, most)
	codings := map[string]encoding{"gzip": codingGzip, "deflate": codingDeflate, "deflate, bare": codingDeflate, "zstd": codingZstd, "br": codingBrotli}
	for name, coding := range codings {
		for _, n := range []int{0, 1, 300, most - 1, most, most + 1, 100 * most} {
			f.Add(uint8(coding), []byte(compressed(f, name, strings.Repeat("event ", n)[:n])))
		}
	}
	f.Add(uint8(codingZstd), []byte(zstdBomb()[:1000]))
	f.Add(uint8(codingZstd), []byte(zstdFrame(0xFF, zstdRaw("x"))))
	f.Add(uint8(codingZstd), []byte(zstdFrame(0, zstdRun(6000, true))+zstdFrame(0, zstdRun(6000, true))))
	f.Fuzz(func(t *testing.T, coding uint8, data []byte) {
		as := encoding(coding) % (codingBrotli + 1)
		var dst bodyBuffer
		p := limit.decompress(as, bytes.NewBuffer(bytes.Clone(data)), &dst)
		if dst.Cap() > 4*most+zstdBlock {
			t.Fatalf("a buffer of %d bytes", dst.Cap())
		}
		if p != nil {
			if p.kind != kindMalformed && p.kind != kindTooLarge {
				t.Fatalf("refused as %d", p.kind)
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
