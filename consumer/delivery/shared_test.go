package delivery

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The token of a shared block is the same for all of its partitions, and what they insert alone is not.
func TestSharedTokens(t *testing.T) {
	t.Parallel()
	one := rangeOf(10, 19)
	assert.Empty(t, one.Own("t", "events", 3), "a block of its own")
	one.Shared = 0xABC
	other := rangeOf(10, 12)
	other.Shared = 0xABC
	assert.Equal(t, "t/events/shared/0000000000000abc", one.Token("t", "events", 3))
	assert.Equal(t, one.Token("t", "events", 3), other.Token("t", "events", 30))
	assert.Equal(t, "t/events/shared/0000000000000abc/3", one.Own("t", "events", 3))
	assert.NotEqual(t, one.Own("t", "events", 3), other.Own("t", "events", 30))
}

// sharedBlock is the settlement of a partition's rows in a shared block.
func sharedBlock(rows int64, uncertain bool) *Settlement {
	one := rangeOf(10, 9+rows)
	one.Shared = 0xABC
	var offsets []int64
	for o := one.First; o <= one.Last; o++ {
		offsets = append(offsets, o)
	}
	return Settle(Block{
		Token: one.Token("t", "events", 3), Own: one.Own("t", "events", 3), Offsets: offsets, SealedAt: sealed,
		Uncertain: uncertain, TokenDurable: true,
	})
}

// Rows that are missing after the shared token was answered go in under the partition's own tokens, and a replicated
// table's answer is not enough for a shared token.
func TestSharedTokenIsUsedUp(t *testing.T) {
	t.Parallel()
	for rows, own := range map[int64][]string{
		1: {"/3/again-1", "/3/again-2"},
		4: {"/3/10-11", "/3/12-13", "/3/10-10"},
	} {
		s := sharedBlock(rows, true)
		all := make([]int32, rows)
		for i := range all {
			all[i] = int32(i)
		}
		require.Equal(t, ActionRead, s.Next(sealed))
		s.Found(all, sealed)
		require.Equal(t, ActionInsert, s.Next(sealed))
		assert.True(t, s.Piece().Shared)
		assert.Equal(t, "t/events/shared/0000000000000abc", s.Piece().Token)
		s.Accepted()
		for _, token := range own {
			if s.Next(sealed) == ActionRead {
				s.Found(all, sealed)
				require.Equal(t, ActionInsert, s.Next(sealed))
			}
			assert.False(t, s.Piece().Shared)
			assert.Equal(t, "t/events/shared/0000000000000abc"+token, s.Piece().Token, "%d rows", rows)
			s.Accepted()
		}
	}
}

// The answer to a first insert is believed, and that to one in doubt is not.
func TestSharedDoubt(t *testing.T) {
	t.Parallel()
	s := sharedBlock(3, false)
	require.Equal(t, ActionInsert, s.Next(sealed))
	assert.True(t, s.Piece().Shared)
	s.Accepted()
	assert.Equal(t, ActionDone, s.Next(sealed))
	s = sharedBlock(3, false)
	require.Equal(t, ActionInsert, s.Next(sealed))
	s.Doubt()
	s.Accepted()
	assert.Equal(t, ActionRead, s.Next(sealed))
}

// An insert is in doubt if another one of the same block, with other partitions, was sent before it.
func TestSends(t *testing.T) {
	t.Parallel()
	var s Sends
	assert.False(t, s.Doubt([]int{1, 2}))
	s.Sent([]int{1, 2})
	assert.False(t, s.Doubt([]int{1, 2}), "the same again")
	assert.True(t, s.Doubt([]int{2}))
	s.Sent([]int{2})
	assert.True(t, s.Doubt([]int{1, 2}), "the same after others")
	assert.True(t, s.Doubt([]int{2}))
}

// A look waits only if the token may be forgotten before everything under it has arrived.
func TestLookFrom(t *testing.T) {
	t.Parallel()
	w := Window{Life: 2 * time.Minute, Remembers: 5 * time.Minute}
	one := rangeOf(0, 9)
	assert.Zero(t, w.LookFrom(one, one.SealedAt.Add(time.Hour), time.Time{}), "a block of its own")
	one.Shared = 1
	safe := one.SealedAt.Add(w.Remembers - w.Life - TokenTrust)
	assert.Zero(t, w.LookFrom(one, safe, time.Time{}))
	late := safe.Add(time.Millisecond)
	assert.Equal(t, late.Add(TokenTrust+w.Life), w.LookFrom(one, late, time.Time{}))
	sent := late.Add(time.Hour)
	assert.Equal(t, sent.Add(w.Life), w.LookFrom(one, late, sent))
}

// After a commit without an answer, commits count again when nothing can overtake them.
func TestHold(t *testing.T) {
	t.Parallel()
	var h Hold
	assert.True(t, h.Counts(sealed))
	h.Unanswered(sealed)
	assert.False(t, h.Counts(sealed.Add(LateCommit-time.Millisecond)))
	assert.Equal(t, time.Millisecond, h.Left(sealed.Add(LateCommit-time.Millisecond)))
	assert.True(t, h.Counts(sealed.Add(LateCommit)))
	assert.Zero(t, h.Left(sealed.Add(LateCommit+time.Hour)))
}

// The id of a shared block is recorded, with and without what else is. Brokers have metadata of this form, and a
// version that does not know the flag takes it for a mark.
func TestSharedMetadata(t *testing.T) {
	t.Parallel()
	r := NewRanges(7, nil, Origin{}, -1)
	for i, lost := range []int64{0, 1} {
		one := rangeOf(7+int64(i), 7+int64(i))
		one.Shared, one.Lost = ^uint64(0)-uint64(i), lost
		require.NoError(t, r.Record(one))
	}
	r.MarkSplit(8, SplitForSize)
	text := r.Metadata()
	const golden = "sluice/1:DgIaAAAXMlR2mLrc_gH2-beEwWgI__________8bAAAYMlR2mLrc_gH2-beEwWgPAf7_________IqHqKA"
	assert.Equal(t, golden, text)
	recorded, _, ok := DecodeMetadata(7, text)
	require.True(t, ok)
	assert.Equal(t, r.ranges, recorded)
	assert.NotEqual(t, uint64(0), uint64(flagShared)&^(flagLost|flagSized), "an unknown flag is doubted")
}
