package audit

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func spansOf(spans ...span) iter.Seq2[span, error] {
	return func(yield func(span, error) bool) {
		for _, s := range spans {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// part is a call of divide.
type part struct {
	first int64 // of the allowance; -1: none
	spans []span
}

// TestDivide: each offset without a row is in one part, and those of an allowance come together.
func TestDivide(t *testing.T) {
	among := []allowance{
		{span: span{10, 19}}, {span: span{20, 20}}, {span: span{30, 39}}, {span: span{50, 59}}, {span: span{70, 79}},
	}
	var got []part
	err := divide(spansOf(span{0, 0}, span{5, 12}, span{14, 14}, span{18, 32}, span{39, 49}, span{60, 69}, span{75, 99}), among,
		func(a *allowance, spans []span) error {
			p := part{-1, slices.Clone(spans)}
			if a != nil {
				p.first = a.first
			}
			got = append(got, p)
			return nil
		})
	require.NoError(t, err)
	assert.Equal(t, []part{
		{-1, []span{{0, 0}}}, {-1, []span{{5, 9}}}, {10, []span{{10, 12}, {14, 14}, {18, 19}}}, {20, []span{{20, 20}}},
		{-1, []span{{21, 29}}}, {30, []span{{30, 32}, {39, 39}}}, {-1, []span{{40, 49}}}, {-1, []span{{60, 69}}},
		{70, []span{{75, 79}}}, {-1, []span{{80, 99}}},
	}, got)
}

// TestDivideStops: an error ends it, from either side.
func TestDivideStops(t *testing.T) {
	broken := errors.New("broken")
	for _, among := range [][]allowance{nil, {{span: span{0, 9}}}, {{span: span{0, 3}}}} {
		calls := 0
		err := divide(spansOf(span{1, 5}, span{7, 7}), among, func(*allowance, []span) error {
			calls++
			return broken
		})
		require.ErrorIs(t, err, broken)
		assert.Equal(t, 1, calls)
	}
	err := divide(func(yield func(span, error) bool) { yield(span{}, broken) }, nil, nil)
	require.ErrorIs(t, err, broken)
}

// TestMerged: allowances that overlap are one.
func TestMerged(t *testing.T) {
	got := merged([]allowance{
		{span: span{30, 39}, dropped: 1}, {span: span{10, 19}, dropped: 2}, {span: span{5, 10}, gap: 3},
		{span: span{20, 29}, dropped: 4}, {span: span{12, 12}, dropped: 5},
	})
	assert.Equal(t, []allowance{
		{span: span{5, 19}, dropped: 7, least: 5, gap: 3}, {span: span{20, 29}, dropped: 4, least: 4},
		{span: span{30, 39}, dropped: 1, least: 1},
	}, got)
}

// TestLeastDropped: of ranges that were read twice, those of one reading count.
func TestLeastDropped(t *testing.T) {
	of := func(numbers ...int64) (all []allowance) {
		for i := 0; i < len(numbers); i += 3 {
			all = append(all, allowance{span: span{numbers[i], numbers[i+1]}, dropped: numbers[i+2]})
		}
		return all
	}
	for _, c := range []struct {
		all  []allowance
		want int64
	}{
		{nil, 0}, {of(0, 9, 4), 4}, {of(0, 9, 4, 0, 9, 4), 4}, {of(0, 9, 4, 9, 19, 5), 5}, {of(0, 9, 4, 10, 19, 5), 9},
		{of(0, 9, 4, 10, 19, 5, 5, 14, 6), 9}, {of(0, 9, 2, 10, 19, 3, 5, 14, 6), 6},
		{of(0, 9, 4, 10, 19, 5, 20, 29, 6, 0, 14, 7, 15, 29, 8), 15},
	} {
		assert.Equal(t, c.want, leastDropped(c.all), "%v", c.all)
	}
}

// TestChunks: all offsets, in chunks of the size, the last perhaps smaller.
func TestChunks(t *testing.T) {
	for size, want := range map[int][]int{1: {1, 1, 1, 1, 1}, 4: {4, 1}, 5: {5}, 6: {5}} {
		var lengths []int
		var all []int64
		for c := range chunks([]span{{3, 5}, {8, 9}}, size) {
			lengths, all = append(lengths, len(c)), append(all, c...)
		}
		assert.Equal(t, want, lengths)
		assert.Equal(t, []int64{3, 4, 5, 8, 9}, all)
	}
	for c := range chunks([]span{{0, 1 << 60}}, 3) {
		assert.Len(t, c, 3)
		break
	}
}

// TestBucketSize: an answer has at most mostBuckets buckets of a partition, at the limit and around it.
func TestBucketSize(t *testing.T) {
	const most = smallestBucket * mostBuckets
	for n, want := range map[int64]int64{1: smallestBucket, most - 1: smallestBucket, most: 2 * smallestBucket,
		most + 1: 2 * smallestBucket, 1 << 40: 1 << 31} {
		places := []place{{first: 5, end: 6}, {first: 7, end: 7 + n}}
		assert.Equal(t, want, bucketSize(places), "%d offsets", n)
	}
}
