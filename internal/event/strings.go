package event

import (
	"unicode/utf8"
)

// isPlain marks the bytes that stand for themselves in a JSON string and need no look at their neighbours.
var isPlain = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// text moves over the string at the current position and returns its inside. It notes the lone surrogate escapes.
func (s *scanner) text() Text {
	data, start := s.data, s.pos+1
	i := start
	if i+8 <= len(data) {
		if found := notPlain(word(data[i : i+8 : i+8])); found != 0 {
			i += firstOf(found)
		} else {
			i = plainEnd(data, i+8)
		}
	} else {
		i = plainEnd(data, i)
	}
	if i < len(data) && data[i] == '"' { // most strings need no more than this
		s.pos = i + 1
		return Text{raw: data[start:i:i]}
	}
	return s.unusualText(start, i)
}

// unusualText is text for a string that begins at start and is plain up to i only.
func (s *scanner) unusualText(start, i int) Text {
	data, form := s.data, verbatim
	for {
		if i >= len(data) {
			s.pos = len(data)
			s.fail(faultCut)
			return Text{}
		}
		c := data[i]
		if c == '"' {
			s.pos = i + 1
			return Text{raw: data[start:i:i], form: form}
		}
		s.pos = i
		n := 0
		if c == '\\' {
			form = escaped
			n = s.escape()
		} else {
			n = s.character()
		}
		if n == 0 {
			return Text{}
		}
		i += n
		i += plainRun(data[i:])
	}
}

// plainRun counts the plain bytes at the start of b.
func plainRun(b []byte) int { return plainEnd(b, 0) }

// plainEnd is where the plain bytes that begin at a place end. It looks at sixteen at a time while it can.
func plainEnd(data []byte, i int) int {
	for ; i+16 <= len(data); i += 16 {
		b := data[i : i+16 : i+16]
		first, second := notPlain(word(b)), notPlain(word(b[8:]))
		if first|second != 0 {
			if first != 0 {
				return i + firstOf(first)
			}
			return i + 8 + firstOf(second)
		}
	}
	for i < len(data) && isPlain[data[i]] {
		i++
	}
	return i
}

// character checks the character at the current position, which is not plain, and returns its length in bytes, or 0
// after a fault.
func (s *scanner) character() int {
	if s.data[s.pos] < ' ' {
		s.fail(faultControl)
		return 0
	}
	r, n := utf8.DecodeRune(s.data[s.pos:])
	if r == utf8.RuneError && n <= 1 {
		s.fail(faultUTF8)
		return 0
	}
	return n
}

// escape checks the escape at the current position and returns its length in bytes, or 0 after a fault. A surrogate
// pair counts as one escape.
func (s *scanner) escape() int {
	b := s.data[s.pos:]
	if len(b) < 2 {
		s.pos = len(s.data)
		s.fail(faultCut)
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	}
	r := unicodeEscape(b)
	if r < 0 {
		s.fail(faultEscape)
		return 0
	}
	if r < surrogateMin || r > surrogateMax {
		return escapeLen
	}
	_, n := surrogate(b, r)
	if n == escapeLen {
		s.repairs = append(s.repairs, s.pos)
	}
	return n
}
