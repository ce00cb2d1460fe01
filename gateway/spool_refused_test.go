package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

var errCompacted = fmt.Errorf("%w: %w: a compacted topic", ErrAnswered, ErrRefused)

// TestRefusedEntryStaysOne: an entry of many records, as an earlier version kept it, is tried again and again while the topic takes
// nothing. It stays one file, and its records count once.
func TestRefusedEntryStaysOne(t *testing.T) {
	m := &memory{}
	m.failing(func() (bool, error) { return false, errCompacted })
	dir := t.TempDir()
	const records = 3 * suspectsMost
	synctest.Test(t, func(t *testing.T) {
		d := detourTo(t, m, dir, func(s *spool) {
			must(t, os.MkdirAll(s.dir, 0o750))
			s.number = 1
			must(t, s.keepRefused(&entry{acceptedAt: time.Now(), partition: -1, count: records, records: runOf(numbered(records)...)}, errCompacted))
			s.refused = nil // found again by open
		})
		defer d.stop()
		time.Sleep(5*refusedAgain + time.Second)
		if f := d.spool.figures(); f.refused != records || f.events != records {
			t.Errorf("%+v", f)
		}
		if n := len(names(t, dir, refusedSuffix)); n != 1 {
			t.Errorf("%d files", n)
		}
		m.failing(nil)
		time.Sleep(refusedAgain + time.Second)
		d.drained()
	})
	if n := len(m.stored()); n != records {
		t.Errorf("%d records of %d", n, records)
	}
}

// TestSpoolLookedAtWhileFilesGo: files that replay is done with do not count as lost, whoever looks at the directory meanwhile.
func TestSpoolLookedAtWhileFilesGo(t *testing.T) {
	s := openSpool(t, t.TempDir(), func(s *spool) { s.segmentBytes = 1 })
	const files = 60
	for i, v := range numbered(files) {
		s.mustPut(v)
		if i%2 == 0 {
			must(t, s.keepRefused(&entry{acceptedAt: s.clock.now(), partition: -1, count: 1, records: runOf(v)}, errCompacted))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() {
		for ctx.Err() == nil {
			s.look()
		}
	})
	for _, seg := range s.refusedFiles() {
		must(t, s.taken(seg))
	}
	if n := len(s.rest()); n != files {
		t.Errorf("%d entries of %d", n, files)
	}
	cancel()
	looking.Wait()
	if n := testutil.ToFloat64(s.metrics.spoolLost); n != 0 {
		t.Errorf("%v events count as lost", n)
	}
}

// TestSpoolLocksAgain: a directory that another gateway uses was in the place of this one's. When this one's is back it is locked
// again.
func TestSpoolLocksAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := openSpool(t, dir)
	s.mustPut("before")
	must(t, os.Rename(dir, dir+".away"))
	must(t, os.Mkdir(dir, 0o750))
	must(t, os.Mkdir(filepath.Join(dir, spoolLock), 0o750)) // which cannot be locked
	if err := s.put("into another's"); !errors.Is(err, errSpoolDisk) {
		t.Fatalf("got %v", err)
	}
	must(t, os.RemoveAll(dir))
	must(t, os.Rename(dir+".away", dir))
	s.look()
	s.clock.advance(spoolRetry)
	s.mustPut("after")
	other := newSpool(dir, 1<<30, time.Hour, s.metrics, s.log, time.Now)
	if err := other.open(); err == nil {
		t.Error("the directory that came back is not locked")
		_ = other.place.leave()
	}
}
