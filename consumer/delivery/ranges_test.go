package delivery

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var sealed = time.UnixMilli(1795435200123).UTC()

func rangeOf(first, last int64) Range {
	return Range{
		First: first, Last: last, Hash: 0xFEDCBA9876543210 + uint64(first),
		Records: int(last - first + 1), SealedAt: sealed,
	}
}

// The head moves only past ranges that are in without a gap, in whatever order the inserts are answered.
func TestHeadMovesInOrder(t *testing.T) {
	t.Parallel()
	r := NewRanges(100, nil, Origin{}, -1)
	for _, s := range []Range{rangeOf(100, 109), rangeOf(110, 110), rangeOf(111, 150)} {
		require.NoError(t, r.Record(s))
	}
	for _, c := range []struct {
		first int64
		moved bool
		head  int64
		left  int
	}{{110, false, 100, 3}, {100, true, 111, 1}, {111, true, 151, 0}} {
		assert.Equal(t, c.moved, r.Inserted(c.first), "after %d", c.first)
		assert.Equal(t, c.head, r.Head(), "after %d", c.first)
		assert.Equal(t, c.left, r.Len(), "after %d", c.first)
	}
	assert.Equal(t, int64(151), r.End())
}

// Only the range that comes next may be recorded, and no more than MaxRanges. A jump needs that none is recorded.
func TestRecordRefuses(t *testing.T) {
	t.Parallel()
	r := NewRanges(10, nil, Origin{}, -1)
	for _, s := range []Range{rangeOf(9, 12), rangeOf(11, 12), rangeOf(10, 9)} {
		assert.ErrorIs(t, r.Record(s), ErrNotNext, "%d-%d", s.First, s.Last)
	}
	for i := range int64(MaxRanges) {
		require.False(t, r.Full(), "with %d", i)
		require.NoError(t, r.Record(rangeOf(10+i, 10+i)))
	}
	assert.True(t, r.Full())
	assert.Error(t, r.Record(rangeOf(10+MaxRanges, 99)))
	assert.Error(t, r.Jump(0, uuid.UUID{}, -1))
	for i := range int64(MaxRanges) {
		r.Inserted(10 + i)
	}
	assert.NoError(t, r.Jump(3, uuid.UUID{}, -1))
	assert.Equal(t, int64(3), r.End())
}

// A range is uncertain if it is old, split, from the future, or not above what the table had.
func TestUncertain(t *testing.T) {
	t.Parallel()
	r := NewRanges(0, nil, Origin{}, 50)
	for _, c := range []struct {
		name string
		one  Range
		age  time.Duration
		want bool
	}{
		{"fresh", rangeOf(51, 60), 0, false},
		{"starts at what was seen", rangeOf(50, 60), 0, true},
		{"begins below what was seen", rangeOf(49, 60), 0, true},
		{"just trusted", rangeOf(51, 60), TokenTrust, false},
		{"a millisecond too old", rangeOf(51, 60), TokenTrust + time.Millisecond, true},
		{"a clock that is just trusted", rangeOf(51, 60), -TokenTrust, false},
		{"from the future", rangeOf(51, 60), -TokenTrust - time.Millisecond, true},
		{"split", Range{First: 51, Last: 60, SealedAt: sealed, Split: SplitForRow}, 0, true},
	} {
		assert.Equal(t, c.want, r.Uncertain(c.one, sealed.Add(c.age)), c.name)
	}
}

// The token tells apart what must not be taken for the same: another table, topic, partition, cut or content.
func TestToken(t *testing.T) {
	t.Parallel()
	s := rangeOf(7, 9)
	const want = "db.events_raw/events/3/7-9/fedcba9876543217"
	assert.Equal(t, want, s.Token("db.events_raw", "events", 3))
	s.Hash++
	assert.NotEqual(t, want, s.Token("db.events_raw", "events", 3), "other records")
}

// The head passes empty offsets once no range lies before them. What was lost there is counted once.
func TestSkipTo(t *testing.T) {
	t.Parallel()
	r := NewRanges(10, nil, Origin{}, -1)
	uncounted := func() int64 { lost, _ := r.Uncounted(); return lost }
	assert.True(t, r.SkipTo(12, 2, 5))
	assert.Equal(t, int64(12), r.Head())
	assert.Equal(t, int32(5), r.origin.Term)
	lost, cuts := r.Uncounted()
	assert.Equal(t, int64(2), lost)
	assert.Zero(t, cuts)
	assert.Zero(t, uncounted(), "counted again")
	require.NoError(t, r.Record(rangeOf(12, 14)))
	assert.False(t, r.SkipTo(20, 3, 6), "a range lies before")
	assert.False(t, r.SkipTo(22, 0, 6))
	assert.Equal(t, int64(12), r.Head())
	assert.Zero(t, uncounted(), "the head is not there yet")
	assert.True(t, r.Inserted(12))
	assert.Equal(t, int64(22), r.Head())
	assert.Equal(t, int64(22), r.End())
	assert.Equal(t, int64(3), uncounted())
	assert.False(t, r.SkipTo(22, 0, 6), "to where it is")
	assert.False(t, r.SkipTo(21, 0, 6), "back")
}

// A range begins where the one before ends, and includes what was lost in between. It covers only offsets that are
// known to be empty.
func TestCover(t *testing.T) {
	t.Parallel()
	r := NewRanges(0, nil, Origin{}, -1)
	require.NoError(t, r.Record(rangeOf(0, 9)))
	r.SkipTo(15, 4, 1)
	assert.Equal(t, int64(16), r.Cover(rangeOf(16, 20)).First, "offset 15 is not known to be empty")
	s := r.Cover(rangeOf(15, 20))
	assert.Equal(t, [3]int64{10, 20, 4}, [3]int64{s.First, s.Last, s.Lost})
	require.NoError(t, r.Record(s))
	again := r.Cover(rangeOf(21, 22))
	assert.Equal(t, [2]int64{21, 0}, [2]int64{again.First, again.Lost})
	r.Inserted(0)
	r.Inserted(10)
	lost, _ := r.Uncounted()
	assert.Equal(t, int64(4), lost)
	assert.Equal(t, int64(21), r.Head())
}

// A jump counts as a cut, and forgets what was empty before it.
func TestJump(t *testing.T) {
	t.Parallel()
	r := NewRanges(10, nil, Origin{Topic: uuid.UUID{1}, Term: 3}, -1)
	require.NoError(t, r.Jump(4, uuid.UUID{2}, 6))
	assert.Equal(t, int64(4), r.Head())
	assert.Equal(t, Origin{Topic: uuid.UUID{2}}, r.origin)
	assert.True(t, r.Uncertain(rangeOf(6, 9), sealed))
	assert.False(t, r.Uncertain(rangeOf(7, 9), sealed))
	_, cuts := r.Uncounted()
	assert.Equal(t, 1, cuts)
}
