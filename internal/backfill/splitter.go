package backfill

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"sluice/internal/event"
)

// maxItem is the largest event, in bytes.
const maxItem = event.MaxEventBytes

// item is what may be an event.
type item struct {
	number int64  // of the line, from 1; in a JSON array of the element
	data   []byte // without white space around it; valid until the next item
	end    int64  // offset after it in the decompressed text
	long   bool   // longer than any event; data is its beginning
}

// splitter finds the items of a text.
type splitter struct {
	text   *bufio.Reader
	offset int64
	number int64
	array  bool
	buf    []byte
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// newSplitter starts at the beginning of a text, and finds out its form.
func newSplitter(text *bufio.Reader) *splitter {
	s := &splitter{text: text}
	if mark, _ := text.Peek(len(byteOrderMark)); bytes.Equal(mark, byteOrderMark) {
		s.discard(len(byteOrderMark))
	}
	head, _ := text.Peek(headBytes)
	s.array = bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("["))
	return s
}

// resume continues a text behind an item.
func resume(text *bufio.Reader, offset, number int64, array bool) *splitter {
	return &splitter{text: text, offset: offset, number: number, array: array}
}

func (s *splitter) discard(n int) {
	n, _ = s.text.Discard(n)
	s.offset += int64(n)
}

// next returns the next item, or io.EOF after the last. Another error means that the text cannot be read on; what was
// read of an item before it is dropped, because it may be half of one.
func (s *splitter) next() (item, error) {
	if s.array {
		return s.nextElement()
	}
	for {
		line, err := s.text.ReadSlice('\n')
		s.offset += int64(len(line))
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return s.longLine(line)
		case err != nil && !errors.Is(err, io.EOF):
			return item{}, err
		case len(line) == 0:
			return item{}, io.EOF
		}
		s.number++
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return item{number: s.number, data: line, end: s.offset, long: len(line) > maxItem}, nil
		}
	}
}

// excerptBytes is how much is kept of a line that is too long, in bytes.
const excerptBytes = 1024

func (s *splitter) longLine(begin []byte) (item, error) {
	s.buf = append(s.buf[:0], begin[:excerptBytes]...)
	for {
		more, err := s.text.ReadSlice('\n')
		s.offset += int64(len(more))
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return item{}, err
		}
		s.number++
		return item{number: s.number, data: s.buf, end: s.offset, long: true}, nil
	}
}

// nextElement returns the next element of a JSON array.
func (s *splitter) nextElement() (item, error) {
	c, err := s.skipSpace()
	if err != nil {
		return item{}, s.cut(err)
	}
	if s.number == 0 && c == '[' || s.number > 0 && c == ',' {
		if c, err = s.skipSpace(); err != nil {
			return item{}, s.cut(err)
		}
	} else if c != ']' {
		return item{}, fmt.Errorf("element %d of the JSON array is not followed by a comma", s.number)
	}
	if c == ']' {
		if _, err := s.skipSpace(); err == nil {
			return item{}, errors.New("there is more after the end of the JSON array")
		} else if !errors.Is(err, io.EOF) {
			return item{}, err
		}
		return item{}, io.EOF
	}
	return s.element(c)
}

// cut makes a missing end an error.
func (s *splitter) cut(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the JSON array ends early, after %d elements", s.number)
	}
	return err
}

func (s *splitter) skipSpace() (byte, error) {
	for {
		c, err := s.text.ReadByte()
		if err != nil {
			return 0, err //nolint:wrapcheck // io.EOF must stay what it is
		}
		s.offset++
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, nil
		}
	}
}

// element reads on to the comma or bracket after the element that begins with first. Brackets and quotes decide; the
// checker sees what is between them.
func (s *splitter) element(first byte) (item, error) {
	s.buf = s.buf[:0]
	depth, quoted, long := 0, false, false
	for c := first; ; {
		if depth == 0 && !quoted && (c == ',' || c == ']') {
			_ = s.text.UnreadByte() // follows ReadByte, so it cannot fail
			s.offset--
			break
		}
		switch {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			s.keep(c, &long)
			escaped, err := s.text.ReadByte()
			if err != nil {
				return item{}, s.cut(err)
			}
			s.offset++
			c = escaped
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		s.keep(c, &long)
		var err error
		if c, err = s.text.ReadByte(); err != nil {
			return item{}, s.cut(err)
		}
		s.offset++
	}
	s.number++
	data := bytes.TrimSpace(s.buf)
	return item{number: s.number, data: data, end: s.offset, long: long || len(data) > maxItem}, nil
}

func (s *splitter) keep(c byte, long *bool) {
	if len(s.buf) >= textRoom {
		*long = true
		return
	}
	s.buf = append(s.buf, c)
}
