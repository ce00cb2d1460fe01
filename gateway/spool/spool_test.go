package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSpoolGivesBackInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir, func(s *Spool) { s.segmentBytes = 4 << 10 })
	want := numbered(300)
	s.mustPut(want[:200]...)
	if f := s.Stats(); f.Events != 200 || f.Bytes < 200*50 || f.Bytes > 200*250 {
		t.Fatalf("figures: %+v", f)
	}
	if len(names(t, dir, segmentSuffix)) < 3 {
		t.Fatal("the test wants several files")
	}
	batch, err := s.Take(1000, 10)
	if err != nil || len(batch) == 0 || len(batch) > 10 {
		t.Fatalf("%d entries, %v", len(batch), err)
	}
	got := []string{}
	for _, e := range batch {
		got = append(got, valueOf(t, e))
	}
	require.NoError(t, s.Done())
	s.mustPut(want[200:]...) // while it is emptied
	got = append(got, s.rest()...)
	if !slices.Equal(got, want) {
		t.Fatalf("%d of %d, or in another order", len(got), len(want))
	}
	if f := s.Stats(); f != (Stats{}) {
		t.Errorf("an empty spool has %+v", f)
	}
	if left := names(t, dir, segmentSuffix); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// Entries of any size come back with all their fields, also those larger than a block of the log.
func TestSpoolKeepsWholeEntries(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir)
	for _, size := range []int{0, 1, 32 << 10, 100_000, maxBatch} {
		e := Entry{
			AcceptedAt: s.clock.Now().Add(time.Duration(size) * time.Millisecond),
			Partition:  size % 7, Count: 2, Records: runOf(strings.Repeat("a", size), "b"),
		}
		require.NoError(t, s.Append(e))
		got, err := s.Take(1, 1)
		if err != nil || len(got) != 1 {
			t.Fatalf("%d entries, %v", len(got), err)
		}
		g := got[0]
		require.Equal(t, e.Partition, g.Partition)
		require.Equal(t, 2, g.Count)
		require.True(t, g.AcceptedAt.Equal(e.AcceptedAt))
		require.True(t, bytes.Equal(e.Records, g.Records), "%d bytes came back otherwise", size)
		require.NoError(t, s.Done())
	}
}

func TestSpoolSurvivesARestart(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"drained", "killed"} {
		t.Run(end, func(t *testing.T) {
			dir := t.TempDir()
			want := numbered(400)
			s := openSpool(t, dir, func(s *Spool) { s.segmentBytes = 4 << 10 })
			s.mustPut(want[:100]...)
			s.clock.Advance(time.Minute)
			s.mustPut(want[100:200]...)
			before := s.Stats()
			if end == "drained" {
				s.shut()
			} else {
				dir = copyDir(t, dir)
			}
			again := openSpool(t, dir, func(s *Spool) { s.segmentBytes = 4 << 10 })
			after := again.Stats()
			assert.Equal(t, before.Events, after.Events)
			assert.GreaterOrEqual(t, after.Bytes, before.Bytes)
			assert.LessOrEqual(t, after.Bytes, before.Bytes+100)
			if after.Age != 0 {
				assert.Equal(t, before.Age, after.Age)
			}
			again.mustPut(want[200:]...)
			if got := again.rest(); !slices.Equal(got, want) {
				t.Errorf("%d of %d, or in another order", len(got), len(want))
			}
			if aside := names(t, dir, damagedSuffix); len(aside) > 0 {
				t.Errorf("taken for damaged: %v", aside)
			}
		})
	}
}

// TestStatsWhileASpoolOpens reads the figures as a scrape of the metrics does, which may come before the gateway has
// opened its spool. The race detector tells.
func TestStatsWhileASpoolOpens(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	earlier := openSpool(t, dir)
	earlier.mustPut("one", "two", "three")
	earlier.shut()

	s := New(Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour})
	require.Zero(t, s.Stats())
	var scrapes sync.WaitGroup
	defer scrapes.Wait()
	scrapes.Go(func() {
		for s.Stats().Events == 0 {
			runtime.Gosched()
		}
	})
	require.NoError(t, s.Open())
	require.EqualValues(t, 3, s.Stats().Events)
	require.NoError(t, s.Close())
}

// Stats.Age is that of the oldest entry that is left.
func TestSpoolAge(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir())
	for _, v := range numbered(5) {
		s.mustPut(v)
		s.clock.Advance(time.Minute)
	}
	for left := 5; left > 0; left-- {
		if age := s.Stats().Age; age != time.Duration(left)*time.Minute {
			t.Errorf("with %d left: %s", left, age)
		}
		_, err := s.Take(1, 1)
		require.NoError(t, err)
		require.NoError(t, s.Done())
	}
}

// An entry stays until Done: after a crash before Done it comes again.
func TestSpoolKilledDuringReplay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := numbered(50)
	s := openSpool(t, dir)
	s.mustPut(want...)
	_, err := s.Take(maxBatch, 20)
	require.NoError(t, err)
	crashed := copyDir(t, dir)
	if got := openSpool(t, crashed).rest(); !slices.Equal(got, want) {
		t.Errorf("before it was done with: %d of %d came again", len(got), len(want))
	}
	require.NoError(t, s.Done())
	again := openSpool(t, copyDir(t, dir))
	if got := again.rest(); !slices.Equal(got[len(got)-30:], want[20:]) {
		t.Errorf("after it was done with: %d came", len(got))
	}
}

// A crash can break the last write off anywhere, and leave zeros or garbage in place of the rest. The entries that were
// acknowledged before are there, and so are those that are appended afterwards.
func TestSpoolTornAtEveryByte(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir)
	s.mustPut("first", "second")
	whole := names(t, dir, segmentSuffix)[0]
	kept := size(t, whole)
	s.mustPut(strings.Repeat("third", 8))
	full := size(t, whole)
	text, err := os.ReadFile(whole)
	require.NoError(t, err)
	for _, filler := range []string{"", "\x00", "\xa7"} {
		step := int64(1 + 4*len(filler)) // all the places once, some of them again
		for at := kept; at <= full; at += step {
			torn := append(text[:at:at], strings.Repeat(filler, int(full-at))...)
			crashed := copyDir(t, dir)
			require.NoError(t, os.WriteFile(names(t, crashed, segmentSuffix)[0], torn, 0o600))
			again := openSpool(t, crashed)
			again.mustPut("after")
			got := again.rest()
			want := []string{"first", "second", "after"}
			if bytes.Equal(torn, text) {
				want = []string{"first", "second", strings.Repeat("third", 8), "after"}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("torn at %d of %d to %d, filled with %q: %q", at, kept, full, filler, got)
			}
			if aside := names(t, crashed, damagedSuffix); len(aside) > 0 {
				t.Fatalf("torn at %d: taken for damaged", at)
			}
			again.halt()
		}
	}
}

// A crash can break off the first write of a file. The file is kept under another name.
func TestSpoolTornAtTheBeginning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir)
	s.mustPut("only")
	text, err := os.ReadFile(names(t, dir, segmentSuffix)[0])
	require.NoError(t, err)
	for at := range text {
		crashed := copyDir(t, dir)
		require.NoError(t, os.WriteFile(names(t, crashed, segmentSuffix)[0], text[:at], 0o600))
		again := openSpool(t, crashed)
		again.mustPut("after")
		if got := again.rest(); !slices.Equal(got, []string{"after"}) {
			t.Fatalf("torn at %d: %q", at, got)
		}
		if aside := names(t, crashed, damagedSuffix); len(aside) != min(1, at) {
			t.Fatalf("torn at %d: set aside: %v", at, aside)
		}
		again.halt()
	}
}

// Damage in an acknowledged entry is no torn end: the file is kept under another name, and the other files are read.
func TestSpoolSetsADamagedFileAside(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"running", "restarted"} {
		t.Run(end, func(t *testing.T) {
			dir := t.TempDir()
			s := openSpool(t, dir, func(s *Spool) { s.segmentBytes = 1 << 10 })
			want := numbered(60)
			s.mustPut(want...)
			files := names(t, dir, segmentSuffix)
			text, err := os.ReadFile(files[1])
			require.NoError(t, err)
			text[len(text)/2] ^= 1
			require.NoError(t, os.WriteFile(files[1], text, 0o600))
			if end == "restarted" {
				s.shut()
				s = openSpool(t, dir)
			}
			got := s.rest()
			missing := 0
			for i, at := 0, 0; i < len(want); i++ {
				if at < len(got) && got[at] == want[i] {
					at++
				} else {
					missing++
				}
			}
			if missing == 0 || missing > 20 || len(got)+missing != len(want) {
				t.Errorf("%d came, %d are missing", len(got), missing)
			}
			if aside := names(t, dir, damagedSuffix); len(aside) != 1 {
				t.Errorf("set aside: %v", aside)
			}
			if f := s.Stats(); f != (Stats{}) {
				t.Errorf("left: %+v", f)
			}
		})
	}
}

func TestSpoolBounds(t *testing.T) {
	t.Parallel()
	encoded := (&Entry{Count: 1, Records: runOf("second")}).encode()
	for more, want := range map[int64]error{-1: ErrFull, 0: nil, 1: nil} {
		s := openSpool(t, t.TempDir())
		s.mustPut("first")
		s.cfg.MaxBytes = s.Stats().Bytes + sizeOnDisk(len(encoded)) + more
		if err := s.put("second"); !errors.Is(err, want) {
			t.Errorf("%+d bytes: %v, want %v", more, err, want)
		}
		if want == nil && s.Stats().Bytes > s.cfg.MaxBytes {
			t.Errorf("%d bytes are more than %d", s.Stats().Bytes, s.cfg.MaxBytes)
		}
		s.rest()
		s.cfg.MaxBytes = 1 << 20
		s.mustPut("third") // there is room again
	}
	for more, want := range map[time.Duration]error{-time.Millisecond: nil, 0: nil, time.Millisecond: ErrOld} {
		s := openSpool(t, t.TempDir())
		s.mustPut("first")
		s.clock.Advance(s.cfg.MaxAge + more)
		if err := s.put("second"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", more, err, want)
		}
		got := s.rest() // old or not, it is still sent
		if got[0] != "first" {
			t.Errorf("%s: %q", more, got)
		}
		s.mustPut("third")
	}
}

func TestSpoolIsForOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir)
	other := New(Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour})
	err := other.Open()
	if err == nil || !strings.Contains(err.Error(), "another gateway") {
		t.Fatalf("the second one: %v", err)
	}
	s.halt()
	if err := other.Open(); err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	require.NoError(t, other.Close())
}

// watchedFile counts fsyncs, and fails as fail returns.
type watchedFile struct {
	io.WriteCloser
	syncs *atomic.Int64
	fail  func() (write, sync error)
}

func (f *watchedFile) Write(b []byte) (int, error) {
	if err, _ := f.fail(); err != nil {
		n, _ := f.WriteCloser.Write(b[:len(b)/2])
		return n, err
	}
	return f.WriteCloser.Write(b)
}

func (f *watchedFile) Sync() error {
	f.syncs.Add(1)
	if _, err := f.fail(); err != nil {
		return err
	}
	return f.WriteCloser.(*os.File).Sync()
}

func watched(syncs *atomic.Int64, fail func() (write, sync error)) func(*Spool) {
	return func(s *Spool) {
		s.create = func(path string) (io.WriteCloser, error) {
			file, err := createSegment(path)
			return &watchedFile{file, syncs, fail}, err
		}
	}
}

func TestSpoolSharesFsyncs(t *testing.T) {
	t.Parallel()
	var syncs, waiting atomic.Int64
	first := make(chan struct{})
	s := openSpool(t, t.TempDir(), watched(&syncs, func() (error, error) { <-first; return nil, nil }))
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			waiting.Add(1)
			if err := s.put(fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, func() bool { return waiting.Load() == 100 })
	if f := s.Stats(); f.Events != 0 {
		t.Errorf("%d events count before they are on the disk", f.Events)
	}
	close(first)
	all.Wait()
	if n := syncs.Load(); n > 25 {
		t.Errorf("%d fsyncs for 100 entries that came at once", n)
	}
	if got := s.rest(); len(got) != 100 {
		t.Errorf("%d entries", len(got))
	}
}

// An append whose write or fsync fails is not acknowledged. Entries from before the failure stay, and later ones are
// kept.
func TestSpoolGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	for name, failure := range map[string][2]error{"write": {broken, nil}, "fsync": {nil, broken}} {
		t.Run(name, func(t *testing.T) {
			var syncs atomic.Int64
			var failing atomic.Bool
			dir := t.TempDir()
			s := openSpool(t, dir, watched(&syncs, func() (error, error) {
				if failing.Load() {
					return failure[0], failure[1]
				}
				return nil, nil
			}))
			var want []string
			for round := range 3 {
				kept := fmt.Sprint("kept ", round)
				s.mustPut(kept)
				want = append(want, kept)
				failing.Store(true)
				for range 3 {
					if err := s.put("lost"); !errors.Is(err, ErrDisk) {
						t.Fatalf("a yes that is none: %v", err)
					}
				}
				s.clock.Advance(retryAfter)
				if err := s.put("lost"); !errors.Is(err, ErrDisk) {
					t.Fatalf("after the pause: %v", err)
				}
				failing.Store(false)
				if err := s.put("too soon"); !errors.Is(err, ErrDisk) {
					t.Fatalf("within the pause: %v", err)
				}
				s.clock.Advance(retryAfter)
			}
			s.mustPut("last")
			want = append(want, "last")
			restarted := openSpool(t, copyDir(t, dir))
			for i, s := range []*spooled{s, restarted} {
				got := slices.DeleteFunc(s.rest(), func(v string) bool { return v == "lost" })
				if !slices.Equal(got, want) {
					t.Errorf("%d: %q, want %q", i, got, want)
				}
			}
			if aside := names(t, dir, damagedSuffix); len(aside) > 0 {
				t.Errorf("taken for damaged: %v", aside)
			}
		})
	}
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}
