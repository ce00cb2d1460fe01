package projects

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTextSetGrows: a text is found, and read, under its number however many there are.
func TestTextSetGrows(t *testing.T) {
	const texts = 40_000 // 28 MB
	filler := strings.Repeat("x", 700)
	text := func(i int) string { return fmt.Sprint(i, filler) }
	var set textSet
	for i := range texts {
		got, added := set.add([]byte(text(i)))
		require.True(t, added, "text %d", i)
		require.EqualValues(t, i, got)
	}
	assert.LessOrEqual(t, len(set.pieces), texts*(len(filler)+10)/textPiece+20, "pieces of memory")
	for i := range texts {
		want := text(i)
		require.True(t, want == string(set.text(uint32(i))), "text %d", i)
		got, ok := set.find([]byte(want))
		require.True(t, ok, "text %d", i)
		require.EqualValues(t, i, got)
	}
}

// TestHashIndexFits: an index has room for its items, and no more than it needs when it is trimmed.
func TestHashIndexFits(t *testing.T) {
	for _, items := range []int{0, 1, 6, 7, 12, 13, 1000} {
		var grown, reserved hashIndex
		reserved.resize(5000)
		for i := range items {
			grown.add(uint64(i))
			reserved.add(uint64(i))
		}
		assert.Len(t, reserved.cells, 8192, items)
		reserved.trim()
		for _, x := range []*hashIndex{&grown, &reserved} {
			assert.LessOrEqual(t, 4*items, 3*len(x.cells))
			assert.LessOrEqual(t, len(x.cells), max(8, 8*items/3))
			for i := range uint32(items) {
				at := x.first(uint64(i))
				for x.cells[at].item != i+1 {
					require.NotZero(t, x.cells[at].item, "item %d of %d", i, items)
					at = x.next(at)
				}
			}
		}
	}
}

// TestTextSet compares a set with a map, across all sizes at which the set grows.
func TestTextSet(t *testing.T) {
	var set textSet
	want := map[string]uint32{}
	for i := range 5_000 {
		text := fmt.Sprint("text ", i*7%4_000)
		if i%1_000 == 999 {
			text += strings.Repeat("x", textPiece) // larger than a piece
		}
		n, added := set.add([]byte(text))
		old, there := want[text]
		require.NotEqual(t, there, added, "%.20q", text)
		if there {
			require.Equal(t, old, n, "%.20q", text)
		} else {
			require.EqualValues(t, len(want), n, "%.20q", text)
		}
		want[text] = n
		require.True(t, text == string(set.text(n)), "%d is %.20q", n, set.text(n))
	}
	for text, n := range want {
		got, ok := set.find([]byte(text))
		require.True(t, ok, "%.20q", text)
		require.Equal(t, n, got, "%.20q", text)
	}
	_, ok := set.find([]byte("text"))
	assert.False(t, ok, "found what is not there")
	assert.Equal(t, len(want), set.len())
	n, added := set.add(nil)
	assert.True(t, added, "the empty text")
	assert.Empty(t, set.text(n))
}
