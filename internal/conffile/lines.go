package conffile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lines reads a file line by line and rejects characters that readers interpret differently.
type lines struct {
	in   *bufio.Reader
	text []byte // the current line with its line feed
	n    int    // the number of the current line
	long []byte
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, 64<<10)} }

// next moves to the next line. Its error is io.EOF at the end, a *Fault, or an error of the file.
func (l *lines) next() error {
	text, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long = append(l.long[:0], text...)
		for errors.Is(err, bufio.ErrBufferFull) {
			text, err = l.in.ReadSlice('\n')
			l.long = append(l.long, text...)
		}
		text = l.long
	}
	if err != nil && (!errors.Is(err, io.EOF) || len(text) == 0) {
		return err
	}
	if l.n++; l.n == 1 {
		if utf16(text) {
			return faultAt(1, notUTF8)
		}
		text = bytes.TrimPrefix(text, bom)
	}
	l.text = text
	if f := checkLine(text, l.n); f != nil {
		return f
	}
	return nil
}

// indent returns the number of spaces at the start of the line, and the character after them or 0.
func (l *lines) indent() (n int, first byte) {
	for n < len(l.text) && l.text[n] == ' ' {
		n++
	}
	if n == len(l.text) {
		return n, 0
	}
	return n, l.text[n]
}

// isBlank reports whether a line is empty or only a comment.
func isBlank(line []byte) bool {
	line = bytes.TrimLeft(line, " \t\r\n")
	return len(line) == 0 || line[0] == '#'
}

// isDash reports whether text starts with the dash of a list item.
func isDash(text []byte) bool {
	return text[0] == '-' && (len(text) == 1 || bytes.IndexByte([]byte(" \t\r\n"), text[1]) >= 0)
}

// marker removes a document marker from the start of a line.
func marker(line []byte, mark string) (rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(line, []byte(mark))
	return rest, ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// withoutComment removes a comment.
func withoutComment(text []byte) []byte {
	for i := range text {
		if text[i] == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t') {
			return text[:i]
		}
	}
	return text
}
