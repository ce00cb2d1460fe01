package delivery

import (
	"testing"
	"time"
)

// A claim that is refused goes on with another row, and never with one that is a dead letter already: of a block that is too large and full of
// bad rows each becomes one letter.
func TestClaimPassesOverDeadRows(t *testing.T) {
	s := NewSettlement("t", []int64{0, 1, 2, 3}, time.Now(), true, true, true)
	s.Places, s.Weights = make([]int32, 4), make([]int64, 4)
	s.mustRead, s.known = false, true
	s.claimFirst(s.whole(), []int32{0, 1, 2, 3})
	for want := range int32(2) {
		if _, row := s.Refuse(); row != want {
			t.Fatalf("row %d was refused, want %d", row, want)
		}
	}
	s.Buried(0)
	s.Buried(1)
	if _, row := s.Refuse(); row != 2 || len(s.Pieces) != 1 || s.Pieces[0].Rows[0] != 3 {
		t.Errorf("after row %d comes %+v", row, s.Pieces)
	}
}
