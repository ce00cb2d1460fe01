package strictjson

import (
	"sluice/internal/swar"
	"unicode/utf8"
)

// isPlain marks the bytes that stand for themselves in a JSON string, whatever their neighbours are.
var isPlain = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}
	return table
}()

// Text moves over the string at the current position and returns its inside. It adds the offsets of lone surrogate
// escapes to Repairs.
func (s *Scanner) Text() Text {
	data, start := s.Data, s.Pos+1
	i := start
	if i+8 <= len(data) {
		if found := swar.NotPlain(swar.Word(data[i : i+8 : i+8])); found != 0 {
			i += swar.FirstOf(found)
		} else {
			i = plainEnd(data, i+8)
		}
	} else {
		i = plainEnd(data, i)
	}
	if i < len(data) && data[i] == '"' { // most strings need no more than this
		s.Pos = i + 1
		return Text{raw: data[start:i:i]}
	}
	return s.unusualText(start, i)
}

// unusualText is Text for a string that begins at start and has a byte at i that is not plain.
func (s *Scanner) unusualText(start, i int) Text {
	data, form := s.Data, verbatim
	for {
		if i >= len(data) {
			s.Pos = len(data)
			s.Fail(faultCut)
			return Text{}
		}
		c := data[i]
		if c == '"' {
			s.Pos = i + 1
			return Text{raw: data[start:i:i], form: form}
		}
		s.Pos = i
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

// plainEnd returns the end of the run of plain bytes that begins at i. It looks at sixteen bytes at a time.
func plainEnd(data []byte, i int) int {
	for ; i+16 <= len(data); i += 16 {
		b := data[i : i+16 : i+16]
		first, second := swar.NotPlain(swar.Word(b)), swar.NotPlain(swar.Word(b[8:]))
		if first|second != 0 {
			if first != 0 {
				return i + swar.FirstOf(first)
			}
			return i + 8 + swar.FirstOf(second)
		}
	}
	for i < len(data) && isPlain[data[i]] {
		i++
	}
	return i
}

// character checks the character at the current position, which is not plain, and returns its length in bytes, or 0
// after a fault.
func (s *Scanner) character() int {
	if s.Data[s.Pos] < ' ' {
		s.Fail(faultControl)
		return 0
	}
	r, n := utf8.DecodeRune(s.Data[s.Pos:])
	if r == utf8.RuneError && n <= 1 {
		s.Fail(faultUTF8)
		return 0
	}
	return n
}

// escape checks the escape at the current position and returns its length in bytes, or 0 after a fault. A surrogate
// pair counts as one escape.
func (s *Scanner) escape() int {
	b := s.Data[s.Pos:]
	if len(b) < 2 {
		s.Pos = len(s.Data)
		s.Fail(faultCut)
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	}
	r := unicodeEscape(b)
	if r < 0 {
		s.Fail(faultEscape)
		return 0
	}
	if r < surrogateMin || r > surrogateMax {
		return EscapeLen
	}
	_, n := surrogate(b, r)
	if n == EscapeLen {
		s.Repairs = append(s.Repairs, s.Pos)
	}
	return n
}
