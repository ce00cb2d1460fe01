package body

import (
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSnappy: a block is decompressed within the limit and the budget, and what is no block is corrupt.
func TestSnappy(t *testing.T) {
	const limit = 100_000
	decode := func(budget int64, wire []byte) (string, error) {
		pool, err := NewPool(Config{Largest: limit, Budget: budget, Refused: func() {}})
		require.NoError(t, err)
		from, to := GetBuffer(), GetBuffer()
		defer from.Release()
		defer to.Release()
		from.Write(wire)
		err = pool.Reader(limit).Decode(Snappy, from, to)
		return to.String(), err
	}
	text := strings.Repeat("a line of a log, ", limit/17+1)
	for size, want := range map[int]error{1: nil, limit - 1: nil, limit: nil, limit + 1: ErrDecodedTooLarge} {
		got, err := decode(0, snappy.Encode(nil, []byte(text[:size])))
		require.ErrorIs(t, err, want, "%d", size)
		if want == nil {
			assert.Equal(t, text[:size], got)
		}
	}
	whole := snappy.Encode(nil, []byte(text[:limit]))
	_, err := decode(1000, whole)
	require.ErrorIs(t, err, ErrNoRoom)
	for name, wire := range map[string][]byte{
		"cut off": whole[:len(whole)-1], "bytes behind": append(whole[:len(whole):len(whole)], 0), "text": []byte("{}"),
		"longer than it can be": append([]byte{0xA0, 0x8D, 0x06}, "abc"...), "a length alone": {0xFF, 0xFF, 0xFF, 0xFF, 0x0F},
	} {
		_, err := decode(0, wire)
		require.ErrorIs(t, err, ErrCorrupt, name)
	}
	got, err := decode(0, nil)
	require.NoError(t, err)
	assert.Empty(t, got)
}
