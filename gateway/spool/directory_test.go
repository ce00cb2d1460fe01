package spool

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/testlog"
)

// lostPlace is a way to lose the directory, or files in it, under a running gateway.
type lostPlace struct {
	lose func(t *testing.T, dir string)
	mend func(t *testing.T, dir string) // nil: nothing to do
	lost int                            // of three events, how many do not come back
}

func lostPlaces() map[string]lostPlace {
	build := func(t *testing.T, dir string) { require.NoError(t, os.MkdirAll(dir, 0o750)) }
	away := func(t *testing.T, dir string) { require.NoError(t, os.Rename(dir, dir+".away")) }
	return map[string]lostPlace{
		"deleted": {func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(dir)) }, build, 3},
		"renamed, and back": {
			away, func(t *testing.T, dir string) { require.NoError(t, os.Rename(dir+".away", dir)) }, 0,
		},
		"replaced": {func(t *testing.T, dir string) { away(t, dir); build(t, dir) }, nil, 3},
		"parent renamed": {
			func(t *testing.T, dir string) { away(t, filepath.Dir(dir)) },
			func(t *testing.T, dir string) {
				require.NoError(t, os.Rename(filepath.Dir(dir)+".away", filepath.Dir(dir)))
			}, 0,
		},
		"emptied": {func(t *testing.T, dir string) {
			for _, name := range names(t, dir, "") {
				require.NoError(t, os.Remove(name))
			}
		}, nil, 3},
		"file deleted": {func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(names(t, dir, segmentSuffix)[0]))
		}, nil, 3},
		"file truncated": {func(t *testing.T, dir string) {
			require.NoError(t, os.Truncate(names(t, dir, segmentSuffix)[0], 0))
		}, nil, 3},
		"file replaced by its copy": {func(t *testing.T, dir string) {
			path := names(t, dir, segmentSuffix)[0]
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.WriteFile(path, text, 0o600))
		}, nil, 0},
		"a file in its place": {
			func(t *testing.T, dir string) {
				require.NoError(t, os.RemoveAll(dir))
				require.NoError(t, os.WriteFile(dir, nil, 0o600))
			},
			func(t *testing.T, dir string) { require.NoError(t, os.Remove(dir)); build(t, dir) }, 3,
		},
	}
}

// An append is acknowledged only into a file that the next run finds. Acknowledged events that are gone are counted.
func TestSpoolPlaceLost(t *testing.T) {
	t.Parallel()
	for name, tc := range lostPlaces() {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "parent", "spool")
			logged := &testlog.Counter{}
			s := openSpool(t, dir, func(s *Spool) { s.log = slog.New(logged) })
			s.mustPut("0", "1", "2")
			tc.lose(t, dir)
			if err := s.put("into nowhere"); !errors.Is(err, ErrDisk) {
				t.Fatalf("a yes that is none: %v", err)
			}
			if tc.mend != nil {
				s.clock.Advance(retryAfter)
				if err := s.put("into nowhere"); !errors.Is(err, ErrDisk) {
					t.Fatalf("while it is missing: %v", err)
				}
				missing := "spool directory is missing; the spool takes nothing until it is mounted or made again"
				assert.Equal(t, 1, logged.Of(missing), "logged: %v", logged.All())
				tc.mend(t, dir)
			}
			s.inspectDirectory()
			s.clock.Advance(retryAfter)
			s.mustPut("3", "4")
			again := openSpool(t, copyDir(t, dir))
			if got := again.rest(); !slices.Contains(got, "3") || !slices.Contains(got, "4") {
				t.Errorf("the next run finds %q", got)
			}
			got := s.rest()
			if n := len(slices.DeleteFunc(got, func(v string) bool { return v >= "3" })); n != 3-tc.lost {
				t.Errorf("%d of the first three came back: %q", n, got)
			}
			if n := testutil.ToFloat64(s.cfg.Metrics.Lost); int(n) != tc.lost {
				t.Errorf("%v events counted as lost, not %d; logged %v", n, tc.lost, logged.All())
			}
			if f := s.Stats(); f.Events != 0 {
				t.Errorf("left: %+v", f)
			}
		})
	}
}

// A missing directory is noticed while no entry is appended or taken.
func TestSpoolPlaceLookedAt(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	s := openSpool(t, dir, func(s *Spool) { s.segmentBytes = 1 })
	s.mustPut("sealed", "active") // two files
	require.NoError(t, os.RemoveAll(dir))
	eventually(t, func() bool { return testutil.ToFloat64(s.cfg.Metrics.Lost) == 2 })
	if f := s.Stats(); f != (Stats{}) || !s.isMissing() {
		t.Errorf("left: %+v", f)
	}
	require.NoError(t, os.MkdirAll(dir, 0o750))
	eventually(t, func() bool { return !s.isMissing() })
	s.mustPut("after")
	other := New(Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour})
	if err := other.Open(); err == nil {
		t.Error("the directory that came back is not locked")
	}
}

// The volume is gone, and its mount point, an empty directory of another file system, is in its place. The spool writes
// nothing there.
func TestSpoolVolumeGone(t *testing.T) {
	t.Parallel()
	other, err := os.MkdirTemp("/dev/shm", "sluice-test-*")
	if err != nil {
		t.Skipf("the test wants a second file system: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(other) })
	dir := filepath.Join(t.TempDir(), "spool")
	s := openSpool(t, dir)
	info, err := os.Stat(other)
	require.NoError(t, err)
	if device(info) == device(s.directory.info) {
		t.Skip("the test wants a second file system beside that of " + dir)
	}
	s.mustPut("before")
	require.NoError(t, os.Rename(dir, dir+".away"))
	require.NoError(t, os.Symlink(other, dir))
	for range 2 {
		if err := s.put("into the mount point"); !errors.Is(err, ErrDisk) {
			t.Fatalf("got %v", err)
		}
		s.inspectDirectory()
		s.clock.Advance(retryAfter)
	}
	if left, err := os.ReadDir(other); err != nil || len(left) > 0 {
		t.Errorf("left in the mount point: %v %v", left, err)
	}
	// The volume is mounted again, as another device with the same files.
	require.NoError(t, os.Remove(dir))
	require.NoError(t, os.Mkdir(dir, 0o750))
	for _, name := range names(t, dir+".away", "") {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o600))
	}
	s.inspectDirectory()
	s.mustPut("after")
	if got := s.rest(); !slices.Contains(got, "before") || !slices.Contains(got, "after") {
		t.Errorf("came: %q", got)
	}
	if n := testutil.ToFloat64(s.cfg.Metrics.Lost); n != 0 {
		t.Errorf("%v lost", n)
	}
}

// Another spool's directory is put in the place of this one's. Its files are handed out too.
func TestSpoolPlaceTakenOver(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "spool")
	s := openSpool(t, dir)
	s.mustPut("a", "b")
	other := openSpool(t, dir+".other")
	other.mustPut("c", "d", "e")
	other.shut()
	require.NoError(t, os.Rename(dir, dir+".away"))
	require.NoError(t, os.Rename(dir+".other", dir))
	s.inspectDirectory()
	if got := s.rest(); !slices.Equal(got, []string{"c", "d", "e"}) {
		t.Errorf("came: %q", got)
	}
	if n := testutil.ToFloat64(s.cfg.Metrics.Lost); n != 2 {
		t.Errorf("%v lost", n)
	}
}

// A file that is deleted in the middle does not hold up the files behind it.
func TestSpoolFileDeletedBeforeReplay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir, func(s *Spool) { s.segmentBytes = 1 })
	s.mustPut(numbered(5)...)
	require.NoError(t, os.Remove(names(t, dir, segmentSuffix)[1]))
	if got, want := s.rest(), slices.Delete(numbered(5), 1, 2); !slices.Equal(got, want) {
		t.Errorf("came: %q", got)
	}
	if n := testutil.ToFloat64(s.cfg.Metrics.Lost); n != 1 {
		t.Errorf("%v lost", n)
	}
}

// The directory becomes unwritable: no file can be begun, and acknowledged entries are safe. Root can write everywhere.
func TestSpoolPlaceReadOnly(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("run as another user than root to see a directory that cannot be written")
	}
	dir := t.TempDir()
	s := openSpool(t, dir, func(s *Spool) { s.segmentBytes = 1 })
	s.mustPut("before")
	require.NoError(t, os.Chmod(dir, 0o500))
	if err := s.put("refused"); !errors.Is(err, ErrDisk) {
		t.Errorf("got %v", err)
	}
	require.NoError(t, os.Chmod(dir, 0o700))
	s.clock.Advance(retryAfter)
	s.mustPut("after")
	if got := s.rest(); !slices.Equal(got, []string{"before", "after"}) {
		t.Errorf("came: %q", got)
	}
}

// An inspection while files are read and removed counts none of them as lost.
func TestSpoolLookedAtDuringReplay(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), func(s *Spool) { s.segmentBytes = 1 })
	s.mustPut(numbered(30)...)
	for _, value := range numbered(30) {
		require.NoError(t, s.Quarantine(s.entryOf(value), errRefused))
	}
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.inspectDirectory()
			}
		}
	})
	if got := s.rest(); !slices.Equal(got, numbered(30)) {
		t.Errorf("came: %q", got)
	}
	for q := range s.Quarantined() {
		require.NoError(t, s.Release(q))
	}
	close(stop)
	looking.Wait()
	if f := s.Stats(); f.Events != 0 {
		t.Errorf("%d events are left", f.Events)
	}
	if n := testutil.ToFloat64(s.cfg.Metrics.Lost); n != 0 {
		t.Errorf("%v lost", n)
	}
}
