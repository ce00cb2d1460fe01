package gateway

import (
	"fmt"
	"strings"
	"testing"
)

// TestTextSetGrows: a text is found, and read, under its number however many there are.
func TestTextSetGrows(t *testing.T) {
	const texts = 40_000 // 28 MB
	filler := strings.Repeat("x", 700)
	text := func(i int) string { return fmt.Sprint(i, filler) }
	var set textSet
	for i := range texts {
		if got, added := set.add([]byte(text(i))); !added || int(got) != i {
			t.Fatalf("text %d: number %d, added %v", i, got, added)
		}
	}
	if most := texts*(len(filler)+10)/namePiece + 20; len(set.pieces) > most {
		t.Errorf("%d pieces of memory, want %d at most", len(set.pieces), most)
	}
	for i := range texts {
		want := text(i)
		if got := string(set.get(uint32(i))); got != want { //nolint:gosec // small
			t.Fatalf("text %d is text %.10s", i, got)
		}
		if got, ok := set.find([]byte(want)); !ok || int(got) != i {
			t.Fatalf("text %d is found as number %d, %v", i, got, ok)
		}
	}
}
