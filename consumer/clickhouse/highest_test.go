package clickhouse

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// Partitions that ask at once each get the highest offset of their own, from where they ask on, over both protocols and
// over the shards of a cluster.
func TestHighestTogether(t *testing.T) {
	single, cloud := clickhousetest.Migrated(t), clickhousetest.Migrated(t)
	c, _, _ := twoShards(t)
	native, http := quiet(reach(single.Native())), quiet(reach(cloud.HTTP()))
	t.Cleanup(native.Close)
	t.Cleanup(http.Close)
	for name, table := range map[string]*Table{"native": native, "http": http, "cluster": c} {
		var records []rowstest.Record
		for p := range 20 {
			for _, offset := range []int64{int64(p), int64(p) + 7} {
				r := rowstest.Plain(offset)
				r.Partition = p
				r.Envelope.ID = rowstest.ID(uint64(1000*p) + uint64(offset))
				records = append(records, r)
			}
		}
		require.NoError(t, table.Insert(t.Context(), "", rowstest.Block(t, records...)))
		var all sync.WaitGroup
		for p := range 21 {
			for _, from := range []int64{0, int64(p) + 7, int64(p) + 8, 2 * needlessRows} {
				all.Go(func() {
					want := int64(p) + 7
					if p == 20 || from > want {
						want = -1
					}
					got, err := table.Highest(t.Context(), "events", p, from)
					assert.NoError(t, err, name)
					assert.Equal(t, want, got, "%s: partition %d from %d", name, p, from)
				})
			}
		}
		all.Wait()
		got, err := table.Highest(t.Context(), "other", 0, 0)
		require.NoError(t, err)
		assert.EqualValues(t, -1, got, "another topic")
	}
}

// A question that the server's limits forbid is asked in halves.
func TestHighestInHalves(t *testing.T) {
	d := clickhousetest.Migrated(t)
	to := newSession(reach(d.Native() + "?max_result_rows=1"))
	defer to.close()
	var records []rowstest.Record
	var all []from
	want := map[int]int64{}
	for p := range 5 {
		r := rowstest.Plain(int64(p))
		r.Partition = p
		records, all, want[p] = append(records, r), append(all, from{"events", p, 0}), int64(p)
	}
	require.NoError(t, to.send(t.Context(), "", rowstest.Block(t, records...)))
	got, err := to.highest(t.Context(), all)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

// Questions go together as long as nothing is read in vain that takes longer than another question: at the limit they
// do, one row above it they do not. Those of two topics never do.
func TestQuestionsTogether(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asked []from
		lists [][]from
	}{
		"the same start": {
			[]from{{"t", 2, 5}, {"t", 0, 5}, {"t", 1, 5}}, [][]from{{{"t", 0, 5}, {"t", 1, 5}, {"t", 2, 5}}},
		},
		"a row less": {
			[]from{{"t", 0, 0}, {"t", 1, needlessRows - 1}}, [][]from{{{"t", 0, 0}, {"t", 1, needlessRows - 1}}},
		},
		"at the limit": {
			[]from{{"t", 0, 0}, {"t", 1, needlessRows}}, [][]from{{{"t", 0, 0}, {"t", 1, needlessRows}}},
		},
		"a row more": {
			[]from{{"t", 0, 0}, {"t", 1, needlessRows + 1}}, [][]from{{{"t", 0, 0}}, {{"t", 1, needlessRows + 1}}},
		},
		"all partitions count": {
			[]from{{"t", 0, 0}, {"t", 1, needlessRows / 2}, {"t", 2, needlessRows/2 + 1}},
			[][]from{{{"t", 0, 0}, {"t", 1, needlessRows / 2}}, {{"t", 2, needlessRows/2 + 1}}},
		},
		"very far":   {[]from{{"t", 0, 0}, {"t", 1, 1 << 62}}, [][]from{{{"t", 0, 0}}, {{"t", 1, 1 << 62}}}},
		"two topics": {[]from{{"u", 0, 0}, {"t", 1, 0}}, [][]from{{{"t", 1, 0}}, {{"u", 0, 0}}}},
	} {
		assert.Equal(t, c.lists, togetherFrom(c.asked), name)
	}
}
