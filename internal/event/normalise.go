package event

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sluice/internal/swar"
	"unicode"
	"unicode/utf8"
)

// normaliseTail replaces what is in b from start on by its normalised form, using the room behind it.
func normaliseTail(b []byte, start int) []byte {
	end := len(b)
	b = appendNormalised(b, bytes.TrimSpace(b[start:end]))
	return append(b[:start], b[end:]...)
}

// appendNormalised appends text, which is UTF-8, in lower case (unicode.ToLower, character by character) and with one
// # in place of whatever differs between two occurrences of the same problem: at every place, first to last, a UUID
// with dashes, else an address 0x…, else a run of ASCII digits, also inside words.
func appendNormalised(dst, text []byte) []byte {
	// Nothing of what replaces ASCII is longer than it.
	start := len(dst)
	dst = slices.Grow(dst, len(text))
	out := dst[start : start+len(text)]
	n := 0
	noUUID := bytes.IndexByte(text, '-') < 0
	for i := 0; i < len(text); {
		if noUUID && i+8 <= len(text) { // most of a text is copied as it is
			w := swar.Word(text[i:])
			binary.LittleEndian.PutUint64(out[n:], w)
			same := swar.FirstOf(notVerbatim(w))
			if i, n = i+same, n+same; same == 8 {
				continue
			}
		}
		c := text[i]
		switch {
		case c >= utf8.RuneSelf:
			return appendNormalisedRunes(dst[:start+n], text[i:])
		case swar.HexValue[c] == 0xFF || c >= 'A' && (i+8 >= len(text) || text[i+8] != '-'): // no digit, and no UUID begins here
			out[n] = lower(c)
			i++
		default:
			if m := variable(text[i:]); m > 0 {
				out[n] = '#'
				i += m
			} else {
				out[n] = lower(c)
				i++
			}
		}
		n++
	}
	return dst[:start+n]
}

// notVerbatim looks at eight bytes for one that is a digit, a capital letter or not ASCII: 0 if there is none, see firstOf.
func notVerbatim(w uint64) uint64 {
	low := w &^ swar.HighBits // see notHex
	digit := (low + (0x80-'0')*swar.EachByte) &^ (low + (0x80-'9'-1)*swar.EachByte)
	capital := (low + (0x80-'A')*swar.EachByte) &^ (low + (0x80-'Z'-1)*swar.EachByte)
	return (w | digit | capital) & swar.HighBits
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// appendNormalisedRunes is appendNormalised for text that is not all ASCII.
func appendNormalisedRunes(dst, text []byte) []byte {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if n := variable(text[i:]); n > 0 {
				dst = append(dst, '#')
				i += n
				continue
			}
			dst = append(dst, lower(c))
			i++
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		dst = utf8.AppendRune(dst, unicode.ToLower(r))
		i += n
	}
	return dst
}

// variable returns the length of the UUID, address or digit run at the start of b, or 0.
func variable(b []byte) int {
	if swar.HexValue[b[0]] == 0xFF {
		return 0
	}
	if isUUID(b) {
		return dashedLen
	}
	if !isDigit(b[0]) {
		return 0
	}
	if len(b) > 2 && b[0] == '0' && b[1]|0x20 == 'x' && swar.HexValue[b[2]] != 0xFF {
		n := 3
		for n < len(b) && swar.HexValue[b[n]] != 0xFF {
			n++
		}
		return n
	}
	n := 1
	for n < len(b) && isDigit(b[n]) {
		n++
	}
	return n
}

// isUUID looks for 8-4-4-4-12 hexadecimal digits at the start of b.
func isUUID(b []byte) bool {
	if len(b) < dashedLen || b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
		return false
	}
	for i, c := range b[:dashedLen] {
		if swar.HexValue[c] == 0xFF && i != 8 && i != 13 && i != 18 && i != 23 {
			return false
		}
	}
	return true
}
