package spool

import (
	"bytes"
	"testing"
	"time"
)

// FuzzSpoolEntry: whatever decodes is what encodes to the same bytes, and nothing makes the decoder panic or allocate for a
// number it was told.
func FuzzSpoolEntry(f *testing.F) {
	seed := Entry{AcceptedAt: time.UnixMilli(1), Partition: -1, Count: 2, Records: runOf("a", "")}
	f.Add(seed.encode())
	f.Add([]byte{entryVersion})
	f.Add(append(seed.encode(), 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEntry(b)
		if err != nil {
			return
		}
		again := e.encode()
		stampEntry(again, e.sequence, e.before)
		if !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}
