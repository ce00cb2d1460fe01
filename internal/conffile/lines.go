package conffile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// lines reads a file line by line and checks that its characters mean the same to everybody.
type lines struct {
	in   *bufio.Reader
	text []byte // the current line with its line feed
	n    int    // its number
	long []byte
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, 64<<10)} }

// next goes to the next line. The error is io.EOF at the end, a *Fault, or one of the file's.
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

// indent counts the spaces at the beginning of the line and returns the character after them, 0 if there is none.
func (l *lines) indent() (n int, first byte) {
	for n < len(l.text) && l.text[n] == ' ' {
		n++
	}
	if n == len(l.text) {
		return n, 0
	}
	return n, l.text[n]
}

// isBlank says that a line holds nothing, or a comment and nothing else.
func isBlank(line []byte) bool {
	line = bytes.TrimLeft(line, " \t\r\n")
	return len(line) == 0 || line[0] == '#'
}

// isDash says that text begins with the dash of a list item.
func isDash(text []byte) bool {
	return text[0] == '-' && (len(text) == 1 || bytes.IndexByte([]byte(" \t\r\n"), text[1]) >= 0)
}

// marker cuts the marker of a document off a line.
func marker(line []byte, mark string) (rest []byte, ok bool) {
	rest, ok = bytes.CutPrefix(line, []byte(mark))
	return rest, ok && (len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n"), rest[0]) >= 0)
}

// withoutComment cuts off a comment.
func withoutComment(text []byte) []byte {
	for i := range text {
		if text[i] == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t') {
			return text[:i]
		}
	}
	return text
}
