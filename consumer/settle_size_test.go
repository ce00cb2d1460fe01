package consumer

import (
	"testing"
	"time"
)

// A claim that is refused goes on with another row, and never with one that is a dead letter already: of a block that is too large and full of
// bad rows each becomes one letter.
func TestClaimPassesOverDeadRows(t *testing.T) {
	s := newSettlement("t", []int64{0, 1, 2, 3}, time.Now(), true, true, true)
	s.places, s.weights = make([]int32, 4), make([]int64, 4)
	s.mustRead, s.known = false, true
	s.claimFirst(s.whole(), []int32{0, 1, 2, 3})
	for want := range int32(2) {
		if _, row := s.refuse(); row != want {
			t.Fatalf("row %d was refused, want %d", row, want)
		}
	}
	s.buried(0)
	s.buried(1)
	if _, row := s.refuse(); row != 2 || len(s.pieces) != 1 || s.pieces[0].rows[0] != 3 {
		t.Errorf("after row %d comes %+v", row, s.pieces)
	}
}
