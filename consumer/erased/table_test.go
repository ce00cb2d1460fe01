package erased

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse"
	"sluice/consumer/rows"
	"sluice/consumer/rows/rowstest"
	"sluice/internal/erasure"
	"sluice/internal/outcome"
	"sluice/internal/testlog"
)

// inner is a table in memory.
type inner struct {
	Inner
	marks  []erasure.Mark
	err    error
	reads  int
	sent   []int64 // offsets
	counts []outcome.Row
}

func (i *inner) Erasures(context.Context) ([]erasure.Mark, error) {
	i.reads++
	return i.marks, i.err
}

func (i *inner) Insert(_ context.Context, _ string, blocks ...*rows.Block) error {
	for _, b := range blocks {
		i.sent = append(i.sent, b.Offsets()...)
	}
	return nil
}

func (i *inner) Missing(_ context.Context, _ string, _ int, b *rows.Block) (all []int32, err error) {
	for row := range b.Rows() {
		all = append(all, int32(row))
	}
	return all, nil
}

func (i *inner) InsertOutcomes(_ context.Context, rows []outcome.Row) error {
	i.counts = append(i.counts, rows...)
	return nil
}

// blockOf is a block with a row for each user, of the project p; "-" stands for another project.
func blockOf(t testing.TB, users ...string) *rows.Block {
	t.Helper()
	var all []rowstest.Record
	for n, user := range users {
		project := "p"
		if user == "-" {
			project = "q"
		}
		all = append(all, rowstest.From(int64(n), project, uuid.Must(uuid.NewV7()), time.Now(),
			fmt.Sprintf(`{"message":"m","user":{"id":%q}}`, user)))
	}
	return rowstest.Block(t, all...)
}

func userErased(user string) erasure.Mark {
	return erasure.NewMark("p", erasure.User, user, erasure.NewSalt(), time.Now().Add(time.Second), time.Hour)
}

// TestTableHoldsBack: erased rows are neither inserted nor missing, wherever they are in the block.
func TestTableHoldsBack(t *testing.T) {
	for name, c := range map[string]struct {
		users []string
		sent  []int64
		left  []int32
	}{
		"none":          {[]string{"a", "b"}, []int64{0, 1}, []int32{0, 1}},
		"all":           {[]string{"x", "x"}, nil, []int32{}},
		"first":         {[]string{"x", "a", "b"}, []int64{1, 2}, []int32{1, 2}},
		"last":          {[]string{"a", "", "x"}, []int64{0, 1}, []int32{0, 1}},
		"between":       {[]string{"a", "x", "-", "x", "b"}, []int64{0, 2, 4}, []int32{0, 2, 4}},
		"other project": {[]string{"-"}, []int64{0}, []int32{0}},
	} {
		t.Run(name, func(t *testing.T) {
			in := &inner{marks: []erasure.Mark{userErased("x")}}
			table, _ := Around(in, slog.New(slog.DiscardHandler))
			b := blockOf(t, c.users...)
			require.NoError(t, table.Insert(t.Context(), "token", b))
			assert.Equal(t, c.sent, in.sent)
			left, err := table.Missing(t.Context(), "events", 0, b)
			require.NoError(t, err)
			assert.Equal(t, c.left, left)
			assert.Len(t, table.Erased(b), b.Rows()-len(c.left))
		})
	}
}

// TestTableHoldsBackFromSharedBlocks: two blocks that partitions share, in the same memory and alike in their first and
// last rows, are told apart.
func TestTableHoldsBackFromSharedBlocks(t *testing.T) {
	t.Parallel()
	id := uuid.Must(uuid.NewV7())
	row := func(partition int, offset int64, user string) *rows.Block {
		r := rowstest.From(offset, "p", id, time.Now(), fmt.Sprintf(`{"message":"m","user":{"id":%q}}`, user))
		r.Partition = partition
		return rowstest.Block(t, r)
	}
	first, last := row(0, 1, "a"), row(3, 4, "b")
	in := &inner{marks: []erasure.Mark{userErased("x")}}
	table, _ := Around(in, slog.New(slog.DiscardHandler))
	for _, between := range []struct {
		of   *rows.Block
		want []int64
	}{{row(1, 2, "x"), []int64{1, 4}}, {row(2, 3, "c"), []int64{1, 3, 4}}, {row(2, 2, "x"), []int64{1, 4}}} {
		in.sent = nil
		require.NoError(t, table.Insert(t.Context(), "token", first, between.of, last))
		assert.Equal(t, between.want, in.sent)
	}
}

// TestTableReadsTheListAgain: an insert goes by a list that is less than ListAge old, and no read is made without an
// insert.
func TestTableReadsTheListAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inner{}
		table, _ := Around(in, slog.New(slog.DiscardHandler))
		b := blockOf(t, "x")
		insert := func(want int, reads int) {
			t.Helper()
			in.sent = nil
			require.NoError(t, table.Insert(t.Context(), "token", b))
			assert.Len(t, in.sent, want)
			assert.Equal(t, reads, in.reads)
		}
		insert(1, 1)
		in.marks = []erasure.Mark{userErased("x")}
		time.Sleep(ListAge - time.Nanosecond)
		insert(1, 1)
		time.Sleep(time.Nanosecond)
		insert(0, 2)
		time.Sleep(time.Hour)
		assert.Equal(t, 2, in.reads)
		in.marks = nil // forgotten
		insert(1, 3)
	})
}

// TestTableWithoutAList: nothing is inserted while the list cannot be read, unless the user may not read it.
func TestTableWithoutAList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inner{err: errors.New("away")}
		logged := &testlog.Counter{}
		table, known := Around(in, slog.New(logged))
		b := blockOf(t, "x")
		require.ErrorIs(t, table.Insert(t.Context(), "token", b), clickhouse.ErrNotSent)
		_, err := table.Missing(t.Context(), "events", 0, b)
		require.Error(t, err)
		require.ErrorIs(t, table.InsertOutcomes(t.Context(), []outcome.Row{{Project: "p"}}), clickhouse.ErrNotSent)
		assert.Empty(t, in.sent)
		assert.Empty(t, table.Erased(b))

		in.err = nil
		in.marks = []erasure.Mark{userErased("x")}
		require.NoError(t, table.Insert(t.Context(), "token", b))
		assert.Empty(t, in.sent)
		assert.InDelta(t, 1, testutil.ToFloat64(known), 0)

		in.err = errors.New("away")
		time.Sleep(ListAge)
		require.ErrorIs(t, table.Insert(t.Context(), "token", b), clickhouse.ErrNotSent, "an old list is not enough")

		in.err = &clickhouse.ServerError{Code: 497, Text: "Not enough privileges"}
		require.NoError(t, table.Insert(t.Context(), "token", b))
		assert.Empty(t, in.sent, "what is known stays known")

		in.marks = nil
		logged = &testlog.Counter{}
		table, known = Around(in, slog.New(logged))
		for range 3 {
			require.NoError(t, table.Insert(t.Context(), "token", b))
			time.Sleep(ListAge)
		}
		assert.Len(t, in.sent, 3)
		assert.InDelta(t, -1, testutil.ToFloat64(known), 0)
		assert.Equal(t, 1, logged.Of("the erasures cannot be read: erased events that come again are inserted again"), logged.All())
	})
}

// TestTableOutcomes: counts of a project that was erased as a whole are not written again, later ones are.
func TestTableOutcomes(t *testing.T) {
	at := time.Now()
	in := &inner{marks: []erasure.Mark{erasure.NewMark("p", erasure.Project, "", erasure.NewSalt(), at, 0), userErased("x")}}
	in.marks[1].Project = "q"
	table, _ := Around(in, slog.New(slog.DiscardHandler))
	now, next := outcome.MinuteOf(at), outcome.MinuteOf(at.Add(time.Minute))
	require.NoError(t, table.InsertOutcomes(t.Context(), []outcome.Row{{Project: "p", Minute: now}}))
	assert.Empty(t, in.counts)
	rest := []outcome.Row{{Project: "p", Minute: next}, {Project: "q", Minute: now}}
	require.NoError(t, table.InsertOutcomes(t.Context(), append([]outcome.Row{{Project: "p", Minute: now - 60}}, rest...)))
	assert.Equal(t, rest, in.counts)
}

// TestMemo: a block whose memory is used again is another one.
func TestMemo(t *testing.T) {
	in := &inner{marks: []erasure.Mark{userErased("x")}}
	table, _ := Around(in, slog.New(slog.DiscardHandler))
	b := blockOf(t, "x", "a")
	require.NoError(t, table.Insert(t.Context(), "token", b))
	assert.Equal(t, []int32{0}, table.Erased(b))
	other := blockOf(t, "a", "x")
	*b = *other //nolint:govet // as if it were filled again
	assert.Equal(t, []int32{1}, table.Erased(b))
}

func BenchmarkRowsOf(b *testing.B) {
	users := make([]string, 1000)
	for i := range users {
		users[i] = "user-" + uuid.NewString()
	}
	block := blockOf(b, users...)
	of := func(project string) *erasure.List {
		m := userErased("x")
		m.Project = project
		return erasure.NewList([]erasure.Mark{m})
	}
	for name, list := range map[string]*erasure.List{"nothing erased": nil, "another project": of("q"), "the project": of("p")} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				rowsOf(list, block)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/row")
		})
	}
}
