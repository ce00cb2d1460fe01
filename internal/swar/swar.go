// Package swar looks at eight bytes of a text at a time, as one number ("SIMD within a register").
//
// The lowest byte of a number is the first byte of the text. A function that searches returns a number with the high
// bit set in the byte that it found; FirstOf turns that into a place. For the tricks behind the functions see S. E.
// Anderson, "Bit Twiddling Hacks", and H. S. Warren, "Hacker's Delight", chapter 6.
package swar

import (
	"encoding/binary"
	"math/bits"
)

const (
	// EachByte times a byte is a number of eight such bytes.
	EachByte = 0x0101010101010101
	// HighBits is a number with the high bit of each byte set.
	HighBits = 0x80 * EachByte
)

// Word returns the first eight bytes of b.
func Word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// Half returns the first four bytes of b.
func Half(b []byte) uint64 { return uint64(binary.LittleEndian.Uint32(b)) }

// NotPlain searches for a byte that does not stand for itself in a JSON string: a control character, a quote, a
// backslash or a byte that is not ASCII. It returns 0 if there is none.
func NotPlain(w uint64) uint64 {
	quote := w ^ '"'*EachByte
	backslash := w ^ '\\'*EachByte
	// A byte's high bit is set where the byte is a control character, not ASCII, a quote or a backslash; a borrow
	// can also set it behind such a byte, never without one. So the first is always a true one.
	return (w | (w - ' '*EachByte) | (quote - EachByte) | (backslash - EachByte)) & HighBits
}

// FirstOf returns the place of the first byte that a search found, 0 to 7, or 8 if it found none.
func FirstOf(found uint64) int { return bits.TrailingZeros64(found) / 8 }

// NotHex searches for a byte that is not a hexadecimal digit in either case. It returns 0 if there is none.
func NotHex(w uint64) uint64 {
	// A byte below 0x80 plus 0x80 minus c has its high bit set from c on; no sum reaches the next byte.
	low := w &^ HighBits
	letters := low | 0x20*EachByte
	digit := (low + (0x80-'0')*EachByte) &^ (low + (0x80-'9'-1)*EachByte)
	letter := (letters + (0x80-'a')*EachByte) &^ (letters + (0x80-'f'-1)*EachByte)
	return (w | ^(digit | letter)) & HighBits
}

// FromHex returns the four bytes that eight hexadecimal digits stand for. NotHex must have returned 0.
func FromHex(w uint64) uint64 {
	w = w&(0x0F*EachByte) + 9*(w>>6&EachByte) // bit 6 is set in letters only
	w = (w<<4 | w>>8) & 0x00FF00FF00FF00FF
	w = (w | w>>8) & 0x0000FFFF0000FFFF
	return (w | w>>16) & 0xFFFFFFFF
}

// ToHex returns the eight hexadecimal digits, in lower case, of the lower four bytes of b.
func ToHex(b uint64) uint64 {
	b &= 0xFFFFFFFF
	b = (b | b<<16) & 0x0000FFFF0000FFFF
	b = (b | b<<8) & 0x00FF00FF00FF00FF
	b = (b>>4 | b<<8) & (0x0F * EachByte)
	letters := (b + 6*EachByte) >> 4 & EachByte
	return b + '0'*EachByte + letters*('a'-'9'-1)
}

// HexValue is the value of a hexadecimal digit, or 0xFF for another byte.
var HexValue = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xFF
	}
	for i := range 10 {
		table['0'+i] = byte(i)
	}
	for i := range 6 {
		table['a'+i] = byte(10 + i)
		table['A'+i] = byte(10 + i)
	}
	return table
}()
