package spool

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

var errRefusedHere = errors.New("a compacted topic")

// TestSpoolLookedAtWhileFilesGo: files that replay is done with do not count as lost, whoever looks at the directory meanwhile.
func TestSpoolLookedAtWhileFilesGo(t *testing.T) {
	s := openSpool(t, t.TempDir(), func(s *Spool) { s.segmentBytes = 1 })
	const files = 60
	for i, v := range numbered(files) {
		s.mustPut(v)
		if i%2 == 0 {
			require.NoError(t, s.Quarantine(Entry{AcceptedAt: s.clock.Now(), Partition: -1, Count: 1, Records: runOf(v)}, errRefusedHere))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			s.look()
		}
	})
	for q := range s.Quarantined() {
		require.NoError(t, s.Release(q))
	}
	if n := len(s.rest()); n != files {
		t.Errorf("%d entries of %d", n, files)
	}
	cancel()
	looking.Wait()
	if n := testutil.ToFloat64(s.metrics.Lost); n != 0 {
		t.Errorf("%v events count as lost", n)
	}
}

// TestSpoolLocksAgain: a directory that another gateway uses was in the place of this one's. When this one's is back it is locked
// again.
func TestSpoolLocksAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := openSpool(t, dir)
	s.mustPut("before")
	require.NoError(t, os.Rename(dir, dir+".away"))
	require.NoError(t, os.Mkdir(dir, 0o750))
	require.NoError(t, os.Mkdir(filepath.Join(dir, spoolLock), 0o750)) // which cannot be locked
	if err := s.put("into another's"); !errors.Is(err, ErrSpoolDisk) {
		t.Fatalf("got %v", err)
	}
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Rename(dir+".away", dir))
	s.look()
	s.clock.Advance(spoolRetry)
	s.mustPut("after")
	other := New(Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour})
	if err := other.Open(); err == nil {
		t.Error("the directory that came back is not locked")
		_ = other.place.leave()
	}
}
