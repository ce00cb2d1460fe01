package delivery

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A claim that is refused goes on with another row, and never with one that is a dead letter already. So each bad row
// of a block that is too large becomes one letter.
func TestClaimSkipsDeadRows(t *testing.T) {
	t.Parallel()
	s := Settle(Block{Token: "t", Offsets: []int64{0, 1, 2, 3}, SealedAt: time.Now(), Split: SplitForSize})
	s.SetPlaces(make([]int32, 4), make([]int64, 4))
	s.state = statePieces
	s.claimFirst(s.whole(), []int32{0, 1, 2, 3})
	for want := range int32(2) {
		_, row := s.Refused()
		require.Equal(t, want, row)
	}
	s.DeadLettered(0)
	s.DeadLettered(1)
	_, row := s.Refused()
	assert.Equal(t, int32(2), row)
	require.Len(t, s.pieces, 1)
	assert.Equal(t, []int32{3}, s.pieces[0].Rows)
}
