package gateway

import (
	"strings"
	"testing"

	bodyroom "sluice/gateway/body"
	"sluice/gateway/body/bodytest"
	"sluice/gateway/ingest"
)

// encoded returns a request whose body has a form of bodytest.
func encoded(path, name, text string) request {
	return request{path: path, body: bodytest.Compress(name, text), header: map[string]string{"Content-Encoding": bodytest.Encoding(name)}}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	s := serve(t)
	text := `{"message":"` + strings.Repeat("compress me ", 1000) + `"}`
	for _, name := range bodytest.Names {
		for _, path := range []string{pathEvents, pathBulk} {
			body := text
			if path == pathBulk {
				body = "[" + text + "," + text + "]"
			}
			r := encoded(path, name, body)
			for _, spelling := range []string{r.header["Content-Encoding"], strings.ToUpper(r.header["Content-Encoding"])} {
				r.header["Content-Encoding"] = spelling
				if got := s.do(r); got.status != 202 || got.body.Rejected != 0 {
					t.Errorf("%s as %s on %s: got %d %s", name, spelling, path, got.status, got.text)
				}
			}
		}
	}
	for i, r := range s.producer.Stored() {
		if string(r.Value) != text {
			t.Fatalf("record %d holds %.100q", i, r.Value)
		}
	}
	if n := len(s.producer.Stored()); n != len(bodytest.Names)*2*3 {
		t.Errorf("%d records", n)
	}
}

// TestBrokenEncodings: a body that cannot be decoded to its end, or is over the limit, is refused whole.
func TestBrokenEncodings(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ok := `{"message":"` + strings.Repeat("x", 300) + `"}`
	for _, name := range bodytest.Names {
		whole := encoded(pathEvents, name, ok)
		for what, body := range map[string]string{
			"cut by a byte":     whole.body[:len(whole.body)-1],
			"cut in the middle": whole.body[:len(whole.body)/2],
			"its first byte":    whole.body[:1],
			"a byte behind":     whole.body + "x",
			"a zero behind":     whole.body + "\x00",
			"plain":             ok,
			"the layer twice":   bodytest.Compress(name, whole.body),
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
		r.body = bodytest.Compress(name, "")
		if got := s.do(r); got.status != 400 || got.body.Code != "empty" {
			t.Errorf("%s of an empty text: got %d %s", name, got.status, got.text)
		}
	}
	spoilt := func(name string, fromEnd int) string {
		b := []byte(bodytest.Compress(name, ok))
		b[len(b)-fromEnd] ^= 1
		return string(b)
	}
	window := func(descriptor byte) string {
		return bodytest.ZstdFrame(descriptor, bodytest.ZstdRaw(`{"message":"x"}`))
	}
	skippable := "\x50\x2A\x4D\x18\x03\x00\x00\x00abc"
	tests := []struct {
		name, coding, body string
		status             int
		code, limit        string
	}{
		{"gzip checksum", "gzip", spoilt("gzip", 8), 400, "malformed", ""},
		{"gzip length", "gzip", spoilt("gzip", 1), 400, "malformed", ""},
		{"zlib checksum", "deflate", spoilt("deflate", 1), 400, "malformed", ""},
		{"zlib with a dictionary", "deflate", "\x78\xbb\x00\x00\x00\x05" + bodytest.Compress("deflate, bare", ok), 400, "malformed", ""},
		{"zstd checksum", "zstd", spoilt("zstd", 1), 400, "malformed", ""},
		{"zstd, a frame cut off behind a whole one", "zstd", window(0) + window(0)[:8], 400, "malformed", ""},
		{"zstd that needs a dictionary", "zstd", "\x28\xB5\x2F\xFD\x01\x00\x07" + bodytest.ZstdRaw(`{"message":"x"}`), 400, "malformed", ""},
		{"zstd, a window of 8 MiB", "zstd", window(13 << 3), 202, "", ""},
		{"zstd, a window of 9 MiB", "zstd", window(13<<3 | 1), 400, "malformed", ""},
		{"zstd, a window of 2 GiB", "zstd", window(21 << 3), 400, "malformed", ""},
		{"zstd, the largest window", "zstd", window(0xFF), 400, "malformed", ""},
		{"zstd of one segment said to be 2 GiB", "zstd", "\x28\xB5\x2F\xFD\xA0\x00\x00\x00\x80" + bodytest.ZstdRaw("{}"), 413, "too_large", ingest.LimitEventBytes},
		{"zstd, less than it says", "zstd", "\x28\xB5\x2F\xFD\x20\xFF" + bodytest.ZstdRaw(`{"message":"x"}`), 400, "malformed", ""},
		{"zstd, more than it says", "zstd", "\x28\xB5\x2F\xFD\x20\x01" + bodytest.ZstdRaw(`{"message":"x"}`), 400, "malformed", ""},
		{"zstd behind a skippable frame", "zstd", skippable + window(0) + skippable, 202, "", ""},
		{"zstd, skippable frames only", "zstd", skippable + skippable, 400, "empty", ""},
		{"zstd, a skippable frame cut off", "zstd", window(0) + "\x50\x2A\x4D\x18\xFF\xFF\xFF\xFFabc", 400, "malformed", ""},
		{"zstd, two frames", "zstd", bodytest.ZstdFrame(0, bodytest.ZstdRaw(`{"mess`)) + bodytest.ZstdFrame(0, bodytest.ZstdRaw(`age":"x"}`)), 202, "", ""},
		{"zstd, 512 MiB in 16 KiB", "zstd", bodytest.ZstdBomb(), 413, "too_large", ingest.LimitEventBytes},
		{"zstd, many frames", "zstd", bodytest.ZstdManyFrames(), 413, "too_large", ingest.LimitEventBytes},
		{"gzip, 16 MiB", "gzip", bodytest.Bomb("gzip"), 413, "too_large", ingest.LimitEventBytes},
		{"zlib, 16 MiB", "deflate", bodytest.Bomb("deflate"), 413, "too_large", ingest.LimitEventBytes},
		{"bare deflate, 16 MiB", "deflate", bodytest.Bomb("deflate, bare"), 413, "too_large", ingest.LimitEventBytes},
		{"brotli, 16 MiB", "br", bodytest.Bomb("br"), 413, "too_large", ingest.LimitEventBytes},
		{"brotli with a large window", "br", "\x11\x1e" + bodytest.Compress("br", ok), 400, "malformed", ""},
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
			if got.status == 415 && got.header.Get("Accept-Encoding") != bodyroom.AcceptedEncodings {
				t.Errorf("Accept-Encoding: %q", got.header.Get("Accept-Encoding"))
			}
			if test.status == 202 {
				kept++
			}
		})
	}
	if n := len(s.producer.Stored()); n != kept {
		t.Errorf("%d events were kept, want %d", n, kept)
	}
}
