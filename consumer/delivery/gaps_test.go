package delivery

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGapsAreCommitted: what the head passes without a record of it being read is in the metadata, with its offsets.
func TestGapsAreCommitted(t *testing.T) {
	r := NewRanges(10, nil, Origin{}, -1)
	assert.True(t, r.SkipTo(20, 8, 1))
	committed := func() []Gap { return DecodeGaps(r.Head(), r.Metadata()) }
	first := Gap{First: 10, Last: 19, Lost: 8}
	assert.Equal(t, []Gap{first}, committed())

	require.NoError(t, r.Record(Range{First: 20, Last: 29, Records: 10}))
	require.NoError(t, r.Record(Range{First: 30, Last: 39, Records: 7, Lost: 2}))
	assert.Equal(t, []Gap{first}, committed(), "the head has not passed it")
	r.Inserted(20)
	r.Inserted(30)
	assert.Equal(t, []Gap{first, {First: 30, Last: 39, Lost: 2}}, committed())
	r.SkipTo(50, 1, 1)
	assert.Equal(t, []Gap{first, {First: 30, Last: 49, Lost: 3}}, committed(), "one that follows extends it")
	lost, _ := r.Uncounted()
	assert.EqualValues(t, 11, lost)

	next := NewRanges(r.Head(), nil, Origin{}, -1)
	next.SetGaps(committed())
	next.AddGap(Gap{First: 60, Last: 60})
	assert.Equal(t, committed(), DecodeGaps(next.Head(), next.Metadata()), "the next owner goes on; none is no gap")
	require.NoError(t, next.Jump(5, r.origin.Topic, -1))
	assert.Empty(t, DecodeGaps(5, next.Metadata()), "of another log")
	assert.Empty(t, DecodeGaps(6, r.Metadata()))
	assert.Empty(t, DecodeGaps(6, "of another program"))
}

// TestGapsAreBounded: the metadata keeps the newest gaps, and fits.
func TestGapsAreBounded(t *testing.T) {
	r := NewRanges(1<<61, nil, Origin{}, -1)
	for range MaxRanges {
		require.NoError(t, r.Record(Range{First: r.End(), Last: r.End() + 1<<39, Records: 1 << 39, Hash: math.MaxUint64}))
	}
	for n := range int64(maxGaps + 1) {
		r.AddGap(Gap{First: 1<<60 + n<<41, Last: 1<<60 + n<<41 + 1<<40, Lost: 1 << 40})
		gaps := DecodeGaps(r.Head(), r.Metadata())
		require.Len(t, gaps, min(int(n)+1, maxGaps))
		require.EqualValues(t, 1<<60+n<<41, gaps[len(gaps)-1].First)
	}
	assert.Less(t, len(r.Metadata()), maxMetadata)
	_, _, ok := DecodeMetadata(r.Head(), r.Metadata())
	assert.True(t, ok)
}

// FuzzGaps: no metadata makes DecodeGaps panic or return a gap that cannot be.
func FuzzGaps(f *testing.F) {
	f.Add([]byte{0, 0})
	f.Add(append([]byte{14, 0, partGaps, 3}, appendGaps(nil, []Gap{{1, 2, 1}})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, g := range DecodeGaps(7, wrapped(b)) {
			require.True(t, g.First >= 0 && g.Last >= g.First && g.Lost > 0, "%+v", g)
		}
	})
}
