package swar

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"testing"
)

// TestEightDigits tries every byte in every place among digits.
func TestEightDigits(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for place := range 8 {
		for c := range 256 {
			text := []byte("09afAF5c")
			rnd.Shuffle(len(text), func(i, j int) { text[i], text[j] = text[j], text[i] })
			text[place] = byte(c)
			want, err := hex.DecodeString(string(text))
			if good := NotHex(Word(text)) == 0; good != (err == nil) {
				t.Errorf("%q: taken for digits is %v", text, good)
			}
			if err != nil {
				continue
			}
			if got := FromHex(Word(text)); got != uint64(binary.LittleEndian.Uint32(want)) {
				t.Errorf("%q: %x, want %x", text, got, want)
			}
			back := binary.LittleEndian.AppendUint64(nil, ToHex(Half(want)|rnd.Uint64()<<32))
			if !bytes.Equal(back, bytes.ToLower(text)) {
				t.Errorf("%q became %q", text, back)
			}
		}
	}
}
