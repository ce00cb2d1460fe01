package backfill

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// headBytes is how much of the beginning of an input identifies it, in bytes after decompression.
const headBytes = 64 << 10

// textRoom is the buffer of the decompressed text, in bytes. A line that does not fit is longer than any event, with
// some room for white space around the event.
const textRoom = maxItem + 4096

// maxWindow is the largest window of a zstd frame that is accepted, in bytes: that of `zstd --long=27`.
const maxWindow = 128 << 20

// source is an open input.
type source struct {
	name    string
	regular bool // a file that can be opened again and has a size
	size    int64
	file    *os.File
	raw     *counter
	unzip   io.Closer // nil for plain text
	plain   bool
	text    *bufio.Reader
	input   input
	head    [sha256.Size]byte
}

// input identifies the content of an input.
type input struct {
	// Size is in bytes, as stored; 0 for standard input. Modified is the time of the last change.
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified,omitzero"`
	// Head is the SHA-256 of the first 64 KiB after decompression.
	Head string `json:"head"`
}

// open opens an input at its beginning; name - is stdin.
func open(name string, stdin io.Reader) (*source, error) {
	s := &source{name: name}
	reader := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, fmt.Errorf("--from: %w", err)
		}
		s.file, reader = f, f
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a directory: name its files", name)
		}
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("--from: %w", err)
		}
		if s.regular = info.Mode().IsRegular(); s.regular {
			s.size = info.Size()
			s.input = input{Size: info.Size(), Modified: info.ModTime().UTC()}
		}
	}
	s.raw = &counter{from: reader}
	if err := s.decompress(); err != nil {
		s.close()
		return nil, fmt.Errorf("--from %s: %w", s.shown(), err)
	}
	return s, nil
}

// shown is the input's name in messages.
func (s *source) shown() string {
	if s.name == "-" {
		return "standard input"
	}
	return s.name
}

func (s *source) close() {
	if s.unzip != nil {
		_ = s.unzip.Close()
	}
	if s.file != nil {
		_ = s.file.Close()
	}
}

// unreadable are formats that people try, by their first bytes.
var unreadable = []struct{ magic, what string }{
	{"BZh", "bzip2: decompress it with bzip2 -dc FILE | sluice load --from -"},
	{"\xfd7zXZ\x00", "xz: decompress it with xz -dc FILE | sluice load --from -"},
	{"PK\x03\x04", "a zip archive: decompress it with unzip -p FILE | sluice load --from -"},
	{"PAR1", "Parquet: convert it to NDJSON first"},
	{"\xff\xfe", "UTF-16: convert it to UTF-8 first, for instance with iconv -f UTF-16 -t UTF-8"},
	{"\xfe\xff", "UTF-16: convert it to UTF-8 first, for instance with iconv -f UTF-16 -t UTF-8"},
}

// decompress finds the compression by the content, and reads the head.
func (s *source) decompress() error {
	raw := bufio.NewReaderSize(s.raw, headBytes)
	magic, err := raw.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, u := range unreadable {
		if bytes.HasPrefix(magic, []byte(u.magic)) {
			return fmt.Errorf("the content is %s", u.what)
		}
	}
	text := io.Reader(raw)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return fmt.Errorf("the gzip data is damaged: %w", err)
		}
		text, s.unzip = z, z
	case bytes.HasPrefix(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}), isSkippable(magic):
		z, err := zstd.NewReader(raw, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(2))
		if err != nil {
			return fmt.Errorf("the zstd data is damaged: %w", err)
		}
		text, s.unzip = z, z.IOReadCloser()
	default:
		s.plain = true
	}
	s.text = bufio.NewReaderSize(text, textRoom)
	head, err := s.text.Peek(headBytes)
	if len(head) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot be read: %w", err)
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return errors.New("the content is binary: an import needs NDJSON or a JSON array, plain or in gzip or zstd")
	}
	s.head = sha256.Sum256(head)
	s.input.Head = hex.EncodeToString(s.head[:])
	return nil
}

// isSkippable recognizes the frames with which pzstd begins.
func isSkippable(magic []byte) bool {
	return len(magic) >= 4 && magic[0]&0xf0 == 0x50 && bytes.Equal(magic[1:4], []byte{0x2a, 0x4d, 0x18})
}

// skip moves from the beginning to an offset of the decompressed text. It is a seek in plain files; of compressed files
// and standard input it reads what is before the offset.
func (s *source) skip(offset int64) error {
	if s.plain && s.regular {
		if _, err := s.file.Seek(offset, io.SeekStart); err != nil {
			return fmt.Errorf("--from %s: %w", s.name, err)
		}
		s.raw.n.Store(offset)
		s.text.Reset(s.raw)
		return nil
	}
	if _, err := io.CopyN(io.Discard, s.text, offset); err != nil {
		return fmt.Errorf("--from %s: cannot go to byte %d, where the last run ended: %w", s.shown(), offset, err)
	}
	return nil
}

// changed reports whether a file is no longer what it was when it was opened.
func (s *source) changed() bool {
	if !s.regular {
		return false
	}
	info, err := os.Stat(s.name)
	return err != nil || info.Size() != s.input.Size || !info.ModTime().Equal(s.input.Modified)
}

// counter counts the bytes read, for the progress.
type counter struct {
	from io.Reader
	n    atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n.Add(int64(n))
	return n, err //nolint:wrapcheck // io.EOF must stay what it is
}
