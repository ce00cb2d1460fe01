package body

import (
	"bytes"

	"github.com/klauspost/compress/snappy"
)

// Snappy is the coding of Decode that no Content-Encoding names: one block of snappy, without framing.
const Snappy = "snappy"

// snappyRatio is more than a block of snappy can grow: three bytes become at most 64.
const snappyRatio = 32

// unsnappy decompresses one block. The block says at its beginning how long it becomes, so there is one allocation.
func unsnappy(wire *bytes.Buffer, dst *Buffer, limit int) error {
	size, err := snappy.DecodedLen(wire.Bytes())
	switch {
	case err != nil:
		return err
	case size > snappyRatio*wire.Len():
		return snappy.ErrCorrupt
	case size > limit:
		return ErrDecodedTooLarge
	case !dst.reserve(size):
		return ErrNoRoom
	}
	dst.Grow(size)
	text, err := snappy.Decode(dst.AvailableBuffer()[:size], wire.Bytes())
	if err == nil {
		_, err = dst.Write(text) // where it stands already
	}
	return err
}
