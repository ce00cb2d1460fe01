package scrub

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/spool"
	"sluice/internal/erasure"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// entryOf is an entry with a record for each event.
func entryOf(partition int, values ...string) spool.Entry {
	e := spool.Entry{Partition: partition, Count: len(values), AcceptedAt: time.Now().Truncate(time.Millisecond)}
	for _, v := range values {
		var h recordbatch.Headers
		id := uuid.Must(uuid.NewV7())
		h.Set(&event.Envelope{Project: "p", ID: id, ReceivedAt: time.Now()})
		tail, _ := recordbatch.RecordSize([]byte("key"), []byte(v), &h)
		e.Records = recordbatch.AppendRecord(e.Records, tail, []byte("key"), []byte(v), &h, id)
	}
	return e
}

func of(user string, n int) string {
	return fmt.Sprintf(`{"message":"%s %d %s","user":{"id":%q}}`, user, n, strings.Repeat("x", 1000), user)
}

// with opens the spool in a directory for some work.
func with(t *testing.T, dir string, work func(*spool.Spool)) {
	t.Helper()
	s := spool.New(spool.Config{Dir: dir, MaxBytes: math.MaxInt64 / 4, MaxAge: time.Hour})
	require.NoError(t, s.Open())
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	work(s)
	cancel()
	running.Wait()
	require.NoError(t, s.Close())
}

// content is what a spool has: its entries in order, and those in quarantine.
func content(t *testing.T, dir string) (queue, refused []spool.Entry) {
	t.Helper()
	with(t, dir, func(s *spool.Spool) {
		for q := range s.Quarantined() {
			refused = append(refused, spool.Entry{AcceptedAt: q.AcceptedAt, Partition: q.Partition, Count: q.Count, Records: slices.Clone(q.Records)})
		}
		for {
			entries, err := s.Take(1, 1)
			require.NoError(t, err)
			if len(entries) == 0 {
				return
			}
			e := entries[0]
			queue = append(queue, spool.Entry{AcceptedAt: e.AcceptedAt, Partition: e.Partition, Count: e.Count, Records: slices.Clone(e.Records)})
			require.NoError(t, s.Done())
		}
	})
	return queue, refused
}

// filesWith counts the files that have a text.
func filesWith(t *testing.T, dir, text string) (n int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	for _, name := range names {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		if strings.Contains(string(content), text) {
			n++
		}
	}
	return n
}

func coversUser() Covers {
	m := erasure.NewMark("p", erasure.User, "erased", erasure.NewSalt(), time.Now().Add(time.Second), 0)
	return erasure.NewMatcher(erasure.NewList([]erasure.Mark{m})).Covers
}

// TestRun: what is erased is in no file any more, and everything else comes out as it went in, in order.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []spool.Entry
	var wantRefused spool.Entry
	with(t, dir, func(s *spool.Spool) {
		for i := range 50 {
			whole := entryOf(i%3-1, of("a", i))
			kept := whole
			switch i % 3 {
			case 0:
				more := entryOf(0, of("erased", i))
				whole.Records, whole.Count = append(slices.Clone(more.Records), whole.Records...), 2
			case 1:
				whole, kept = entryOf(1, of("erased", i), of("erased", -i)), spool.Entry{}
			}
			require.NoError(t, s.Append(whole))
			if kept.Count > 0 {
				want = append(want, kept)
			}
		}
		wantRefused = entryOf(2, of("b", 1))
		require.NoError(t, s.Quarantine(wantRefused, errors.New("refused")))
		require.NoError(t, s.Quarantine(entryOf(2, of("erased", 1)), errors.New("refused")))
	})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "0000000000009999.damaged"), []byte("?"), 0o600))
	require.Positive(t, filesWith(t, dir, "erased 1 "))

	r, err := Run(t.Context(), dir, coversUser(), func(int64) {})
	require.NoError(t, err)
	assert.EqualValues(t, 17+2*17+1, r.Erased)
	assert.EqualValues(t, len(want)+1, r.Kept)
	assert.Len(t, r.Damaged, 1)
	assert.Zero(t, filesWith(t, dir, "erased"))

	again, err := Run(t.Context(), dir, coversUser(), func(int64) {})
	require.NoError(t, err)
	assert.Zero(t, again.Erased, "nothing is left to do")
	queue, refused := content(t, dir)
	assert.Equal(t, want, queue)
	assert.Equal(t, []spool.Entry{wantRefused}, refused)
}

// TestRunManyFiles: a spool of several files is rewritten once, whatever files that makes.
func TestRunManyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := strings.Repeat("y", 1<<20)
	const n = 40 // MiB; a file has 16
	with(t, dir, func(s *spool.Spool) {
		for i := range n {
			require.NoError(t, s.Append(entryOf(0, of(fmt.Sprint("a", i), i)+large, of("erased", i))))
		}
	})
	r, err := Run(t.Context(), dir, coversUser(), func(int64) {})
	require.NoError(t, err)
	assert.Equal(t, Result{Erased: n, Kept: n}, r)
	assert.Zero(t, filesWith(t, dir, "erased"))
	queue, _ := content(t, dir)
	require.Len(t, queue, n)
	for i, e := range queue {
		assert.Contains(t, string(e.Records[:200]), fmt.Sprintf("a%d ", i), "in order")
	}
}

// TestRunRefuses: a spool in use, and a directory that is none, are left alone.
func TestRunRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	with(t, dir, func(*spool.Spool) {
		_, err := Run(t.Context(), dir, coversUser(), func(int64) {})
		require.ErrorContains(t, err, "another gateway uses it")
	})
	missing := filepath.Join(dir, "missing")
	_, err := Run(t.Context(), missing, coversUser(), func(int64) {})
	require.ErrorIs(t, err, ErrNoSpool)
	assert.NoDirExists(t, missing)
	ctx, cancel := context.WithCancel(t.Context())
	with(t, dir, func(s *spool.Spool) { require.NoError(t, s.Append(entryOf(0, of("a", 1)))) })
	cancel()
	_, err = Run(ctx, dir, coversUser(), func(int64) {})
	require.ErrorIs(t, err, context.Canceled)
	queue, _ := content(t, dir)
	assert.Len(t, queue, 1, "an interruption loses nothing")
}
