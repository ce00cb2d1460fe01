package strictjson

import (
	"bytes"
	"sluice/internal/swar"
	"unicode/utf16"
	"unicode/utf8"
)

// EscapeLen is the length of a \uXXXX escape, in bytes.
const EscapeLen = 6

const (
	surrogateMin = 0xD800
	lowSurrogate = 0xDC00
	surrogateMax = 0xDFFF
)

// Replacement is the escape that replaces a lone surrogate escape. Both have the same length.
const Replacement = `\ufffd`

// unicodeEscape reads a \uXXXX escape at the start of b, or returns -1 if none is there.
func unicodeEscape(b []byte) rune {
	if len(b) < EscapeLen || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	h0, h1, h2, h3 := swar.HexValue[b[2]], swar.HexValue[b[3]], swar.HexValue[b[4]], swar.HexValue[b[5]]
	if h0|h1|h2|h3 == 0xFF {
		return -1
	}
	return rune(h0)<<12 | rune(h1)<<8 | rune(h2)<<4 | rune(h3)
}

// surrogate reads the surrogate escape r at the start of b: the character and length of a whole pair, or U+FFFD and
// the length of one escape for a lone half.
func surrogate(b []byte, r rune) (rune, int) {
	if r < lowSurrogate {
		low := unicodeEscape(b[EscapeLen:])
		if lowSurrogate <= low && low <= surrogateMax {
			return utf16.DecodeRune(r, low), 2 * EscapeLen
		}
	}
	return utf8.RuneError, EscapeLen
}

// nextRune reads one character, escaped or not, from the inside of a checked JSON string. b is not empty.
func nextRune(b []byte) (r rune, size int) {
	if b[0] != '\\' {
		return utf8.DecodeRune(b)
	}
	switch b[1] {
	case 'u':
		r = unicodeEscape(b)
		if surrogateMin <= r && r <= surrogateMax {
			return surrogate(b, r)
		}
		return r, EscapeLen
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	}
	return rune(b[1]), 2 // quote, backslash, slash
}

// appendUnescaped appends the inside of a checked JSON string without its escapes.
func appendUnescaped(dst, inside []byte) []byte {
	for {
		i := bytes.IndexByte(inside, '\\')
		if i < 0 {
			return append(dst, inside...)
		}
		dst = append(dst, inside[:i]...)
		r, n := nextRune(inside[i:])
		dst = utf8.AppendRune(dst, r)
		inside = inside[i+n:]
	}
}

// appendRepaired appends a checked JSON value with every lone surrogate escape replaced. Backslashes occur inside
// strings only, so the strings themselves need not be found.
func appendRepaired(dst, value []byte) []byte {
	for {
		i := bytes.IndexByte(value, '\\')
		if i < 0 {
			return append(dst, value...)
		}
		dst = append(dst, value[:i]...)
		r, n := nextRune(value[i:])
		if r == utf8.RuneError && unicodeEscape(value[i:]) != utf8.RuneError {
			dst = append(dst, Replacement...)
		} else {
			dst = append(dst, value[i:i+n]...)
		}
		value = value[i+n:]
	}
}
