package spool

import (
	"bytes"
	"testing"
	"time"
)

// Bytes that decode to an entry are the bytes that the entry encodes to. No bytes make the decoder panic, or allocate
// as much as a number in them says.
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
		setCounters(again, e.sequence, e.before)
		if !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}
