package event

import (
	"bytes"
	"encoding/binary"
	"slices"
	"sluice/internal/swar"
	"unicode"
	"unicode/utf8"
)

// normaliseTail replaces b[start:] by its normalised form. It works in the free capacity of b.
func normaliseTail(b []byte, start int) []byte {
	end := len(b)
	b = appendNormalised(b, bytes.TrimSpace(b[start:end]))
	return append(b[:start], b[end:]...)
}

// appendNormalised appends the normalised form of text, which is UTF-8. Characters become lower case (unicode.ToLower).
// Parts that differ between two occurrences of the same problem become one # each. At each position the first that fits
// counts: a UUID with dashes, an address 0x…, a run of ASCII digits, also inside a word.
func appendNormalised(dst, text []byte) []byte {
	// The normalised form of ASCII is never longer than the text.
	start := len(dst)
	dst = slices.Grow(dst, len(text))
	out := dst[start : start+len(text)]
	n := 0
	noUUID := bytes.IndexByte(text, '-') < 0
	for i := 0; i < len(text); {
		if noUUID && i+8 <= len(text) { // most of a text stays as it is
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
		case swar.HexValue[c] == 0xFF || c >= 'A' && (i+8 >= len(text) || text[i+8] != '-'): // neither digit nor UUID
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

// notVerbatim searches eight bytes for one that is a digit, a capital letter or not ASCII, see package swar.
func notVerbatim(w uint64) uint64 {
	low := w &^ swar.HighBits // see swar.NotHex
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

// appendNormalisedRunes is appendNormalised for text with characters outside ASCII.
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

// isUUID reports whether b begins with groups of 8-4-4-4-12 hexadecimal digits.
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
