package conffile

import (
	"bytes"
	"errors"
	"io"
)

// readBraces reads {name: [ … ]}, the form that JSON has. at is the column of the brace.
func (l *lister) readBraces(at int) error {
	l.lines.text = l.lines.text[at+1:]
	if err := l.skipBlank(); err != nil {
		return l.cut(err)
	}
	text := bytes.TrimLeft(l.lines.text, " \t")
	if text[0] == '}' {
		l.lines.text = text[1:]
		return l.tail()
	}
	rest, f := l.field(text)
	if f != nil {
		return f
	}
	l.lines.text = rest
	if err := l.skipBlank(); err != nil {
		return l.cut(err)
	}
	open := bytes.IndexByte(l.lines.text, '[')
	if open < 0 || len(bytes.TrimSpace(l.lines.text[:open])) > 0 {
		return faultAt(l.lines.n, l.name+" must be a list")
	}
	if err := l.readBrackets(open); err != nil {
		return l.cut(err)
	}
	for _, want := range []byte(",}") {
		if err := l.skipBlank(); err != nil {
			return l.cut(err)
		}
		text := bytes.TrimLeft(l.lines.text, " \t")
		switch {
		case text[0] == want:
			l.lines.text = text[1:]
		case want == '}':
			return l.unknown(text)
		}
	}
	return l.tail()
}

// cut returns the fault of a file that ends too early.
func (l *lister) cut(err error) error {
	if errors.Is(err, io.EOF) {
		return faultAt(l.lines.n, "not YAML: the file ends within a bracket")
	}
	return err
}

// readBrackets reads the items of a list in flow style. at is the column of the bracket. Afterwards the current line
// starts after the closing bracket.
func (l *lister) readBrackets(at int) error {
	l.flow = true
	l.lines.text = l.lines.text[at+1:]
	s := flowScanner{last: '['}
	for {
		for i := 0; i < len(l.lines.text); i++ {
			c := l.lines.text[i]
			switch s.step(c, l.lines.text[i+1:]) {
			case flowSkip:
			case flowItem:
				l.begin()
			case flowComma:
				if err := l.endItem(); err != nil {
					return err
				}
				continue
			case flowEnd:
				if err := l.endItem(); err != nil {
					return err
				}
				l.lines.text = l.lines.text[i+1:]
				return l.emit()
			}
			if len(l.starts) > 0 {
				l.chunk = append(l.chunk, c)
			}
		}
		if f := l.tooLarge(); f != nil {
			return f
		}
		if err := l.lines.next(); err != nil {
			return errors.Join(l.emit(), l.cut(err))
		}
	}
}

// endItem ends an item at the end of the chunk.
func (l *lister) endItem() error {
	n := len(l.starts)
	if n == 0 || l.starts[n-1].end > 0 {
		return nil
	}
	if f := l.tooLarge(); f != nil {
		return f
	}
	l.starts[n-1].end = len(l.chunk)
	if len(l.chunk) >= chunkBytes {
		return l.emit()
	}
	l.chunk = append(l.chunk, ',')
	return nil
}

// flowScanner finds the commas and the end of a list in flow style.
type flowScanner struct {
	depth   int
	quote   byte // the quote around the current text, or 0
	escaped bool // the next character belongs to the text
	comment bool
	inItem  bool
	last    byte // the last character other than white space
	before  byte // the last character
}

// These are the roles of a character in a list.
const (
	flowText  = iota // part of an item, or of no importance
	flowSkip         // white space or a comment
	flowItem         // the first character of an item
	flowComma        // the end of an item
	flowEnd          // the end of the list
)

func (s *flowScanner) step(c byte, rest []byte) int {
	before := s.before
	s.before = c
	switch {
	case s.comment:
		s.comment = c != '\n'
		return flowSkip
	case s.quote != 0:
		s.inQuotes(c, rest)
		return flowText
	case c == ' ', c == '\t', c == '\r', c == '\n':
		return flowSkip
	case c == '#' && (before == ' ' || before == '\t' || before == '\n' || before == 0):
		s.comment = true
		return flowSkip
	}
	last := s.last
	s.last = c
	began := !s.inItem
	if s.depth == 0 && (c == ',' || c == ']') {
		s.inItem = false
		if c == ']' {
			return flowEnd
		}
		return flowComma
	}
	switch {
	case (c == '"' || c == '\'') && bytes.IndexByte([]byte("[{,:"), last) >= 0:
		s.quote = c
	case c == '[', c == '{':
		s.depth++
	case c == ']', c == '}':
		s.depth--
	}
	if s.inItem = true; began {
		return flowItem
	}
	return flowText
}

// inQuotes finds the end of a quoted text.
func (s *flowScanner) inQuotes(c byte, rest []byte) {
	switch {
	case s.escaped:
		s.escaped = false
	case s.quote == '"' && c == '\\':
		s.escaped = true
	case s.quote == '\'' && c == '\'' && len(rest) > 0 && rest[0] == '\'':
		s.escaped = true
	case c == s.quote:
		s.quote, s.last = 0, c
	}
}
