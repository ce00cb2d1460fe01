// Package bodytest makes compressed bodies for tests: valid ones in each supported encoding, and hostile ones that grow to
// many times their size.
//
// Its functions panic if a compressor fails, which none does.
package bodytest

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// Names lists the forms that Compress knows. The Content-Encoding of a form is its name up to the first comma.
var Names = []string{"br", "deflate", "deflate, bare", "gzip", "zstd"}

// Encoding returns the Content-Encoding of a form.
func Encoding(name string) string {
	encoding, _, _ := strings.Cut(name, ",")
	return encoding
}

// Compress returns text in a form of Names.
func Compress(name, text string) string {
	var b bytes.Buffer
	w := writer(name, &b)
	if _, err := io.WriteString(w, text); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

func writer(name string, w io.Writer) io.WriteCloser {
	switch name {
	case "br":
		return brotli.NewWriterLevel(w, 5)
	case "deflate":
		return zlib.NewWriter(w)
	case "deflate, bare":
		return must(flate.NewWriter(w, flate.DefaultCompression))
	case "gzip":
		return gzip.NewWriter(w)
	case "zstd":
		return must(zstd.NewWriter(w))
	}
	panic("no encoding is called " + name)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Bomb returns 16 MiB of spaces, compressed: three times the default limit of a bulk. A form is compressed once.
func Bomb(name string) string { return bombs()[name]() }

var bombs = sync.OnceValue(func() map[string]func() string {
	out := map[string]func() string{}
	for _, name := range Names {
		out[name] = sync.OnceValue(func() string { return Compress(name, strings.Repeat(" ", 16<<20)) })
	}
	return out
})
