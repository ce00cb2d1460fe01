package event

import (
	"encoding/binary"
	"math/bits"
)

// Eight bytes of a text are looked at together, as a number whose lowest byte is the first of them.

const (
	eachByte = 0x0101010101010101 // times a byte: eight of it
	highBits = 0x80 * eachByte
)

// word is the first eight bytes of b.
func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// half is the first four bytes of b.
func half(b []byte) uint64 { return uint64(binary.LittleEndian.Uint32(b)) }

// notPlain looks at eight bytes, the first of them lowest, for one that is not plain: 0 if there is none, see firstOf.
func notPlain(w uint64) uint64 {
	quote := w ^ '"'*eachByte
	backslash := w ^ '\\'*eachByte
	// A byte's high bit is set where the byte is a control character, not ASCII, a quote or a backslash; a borrow
	// can also set it behind such a byte, never without one. So the first is always a true one.
	return (w | (w - ' '*eachByte) | (quote - eachByte) | (backslash - eachByte)) & highBits
}

// firstOf is the place of the first byte that was found, 0 to 7, or 8 if none was.
func firstOf(found uint64) int { return bits.TrailingZeros64(found) / 8 }

// notHex looks at eight characters and is 0 if all of them are hexadecimal digits, in any case.
func notHex(w uint64) uint64 {
	// A byte below 0x80 plus 0x80 minus c has its high bit set from c on; no sum reaches the next byte.
	low := w &^ highBits
	letters := low | 0x20*eachByte
	digit := (low + (0x80-'0')*eachByte) &^ (low + (0x80-'9'-1)*eachByte)
	letter := (letters + (0x80-'a')*eachByte) &^ (letters + (0x80-'f'-1)*eachByte)
	return (w | ^(digit | letter)) & highBits
}

// fromHex is the four bytes that eight hexadecimal digits stand for, the first lowest.
func fromHex(w uint64) uint64 {
	w = w&(0x0F*eachByte) + 9*(w>>6&eachByte) // bit 6 is set in letters only
	w = (w<<4 | w>>8) & 0x00FF00FF00FF00FF
	w = (w | w>>8) & 0x0000FFFF0000FFFF
	return (w | w>>16) & 0xFFFFFFFF
}

// toHex is the eight digits, in lower case, of the lower four bytes of b.
func toHex(b uint64) uint64 {
	b &= 0xFFFFFFFF
	b = (b | b<<16) & 0x0000FFFF0000FFFF
	b = (b | b<<8) & 0x00FF00FF00FF00FF
	b = (b>>4 | b<<8) & (0x0F * eachByte)
	letters := (b + 6*eachByte) >> 4 & eachByte
	return b + '0'*eachByte + letters*('a'-'9'-1)
}

// hexValue is the value of a hexadecimal digit, or 0xFF for another byte.
var hexValue = func() (table [256]byte) {
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
