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

var errRefused = errors.New("a compacted topic")

// An inspection of the directory at the moment when Done or Release removes a file does not count the file as lost.
func TestSpoolLookedAtWhileFilesGo(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), func(s *Spool) { s.segmentBytes = 1 })
	const files = 60
	for i, v := range numbered(files) {
		s.mustPut(v)
		if i%2 == 0 {
			require.NoError(t, s.Quarantine(s.entryOf(v), errRefused))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			s.inspectDirectory()
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
	if n := testutil.ToFloat64(s.cfg.Metrics.Lost); n != 0 {
		t.Errorf("%v events count as lost", n)
	}
}

// Another gateway's directory was in the place of the spool's. When the spool's is back, the spool locks it again.
func TestSpoolLocksAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	s := openSpool(t, dir)
	s.mustPut("before")
	require.NoError(t, os.Rename(dir, dir+".away"))
	require.NoError(t, os.Mkdir(dir, 0o750))
	require.NoError(t, os.Mkdir(filepath.Join(dir, lockName), 0o750)) // which cannot be locked
	if err := s.put("into another's"); !errors.Is(err, ErrDisk) {
		t.Fatalf("got %v", err)
	}
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Rename(dir+".away", dir))
	s.inspectDirectory()
	s.clock.Advance(retryAfter)
	s.mustPut("after")
	other := New(Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour})
	if err := other.Open(); err == nil {
		t.Error("the directory that came back is not locked")
		_ = other.directory.release()
	}
}
