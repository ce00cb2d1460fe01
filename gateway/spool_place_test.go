package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// lostPlace is a way to lose the directory, or what is in it, under a running gateway.
type lostPlace struct {
	lose func(t *testing.T, dir string)
	mend func(t *testing.T, dir string) // nil: nothing to do
	lost int                            // of three events, how many do not come back
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lostPlaces() map[string]lostPlace {
	build := func(t *testing.T, dir string) { must(t, os.MkdirAll(dir, 0o750)) }
	away := func(t *testing.T, dir string) { must(t, os.Rename(dir, dir+".away")) }
	return map[string]lostPlace{
		"deleted":           {func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, build, 3},
		"renamed, and back": {away, func(t *testing.T, dir string) { must(t, os.Rename(dir+".away", dir)) }, 0},
		"replaced":          {func(t *testing.T, dir string) { away(t, dir); build(t, dir) }, nil, 3},
		"parent renamed": {
			func(t *testing.T, dir string) { away(t, filepath.Dir(dir)) },
			func(t *testing.T, dir string) { must(t, os.Rename(filepath.Dir(dir)+".away", filepath.Dir(dir))) }, 0,
		},
		"emptied": {func(t *testing.T, dir string) {
			for _, name := range names(t, dir, "") {
				must(t, os.Remove(name))
			}
		}, nil, 3},
		"file deleted":   {func(t *testing.T, dir string) { must(t, os.Remove(names(t, dir, segmentSuffix)[0])) }, nil, 3},
		"file truncated": {func(t *testing.T, dir string) { must(t, os.Truncate(names(t, dir, segmentSuffix)[0], 0)) }, nil, 3},
		"file replaced by its copy": {func(t *testing.T, dir string) {
			path := names(t, dir, segmentSuffix)[0]
			text, err := os.ReadFile(path)
			must(t, err)
			must(t, os.Remove(path))
			must(t, os.WriteFile(path, text, 0o600))
		}, nil, 0},
		"a file in its place": {
			func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)); must(t, os.WriteFile(dir, nil, 0o600)) },
			func(t *testing.T, dir string) { must(t, os.Remove(dir)); build(t, dir) }, 3,
		},
	}
}

// An append is acknowledged only into a file that the next run finds. What was acknowledged before and is gone is counted.
func TestSpoolPlaceLost(t *testing.T) {
	for name, tc := range lostPlaces() {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "parent", "spool")
			said := &counter{}
			s := openSpool(t, dir, func(s *spool) { s.log = slog.New(said) })
			s.mustPut("0", "1", "2")
			tc.lose(t, dir)
			if err := s.put("into nowhere"); !errors.Is(err, errSpoolDisk) {
				t.Fatalf("a yes that is none: %v", err)
			}
			if tc.mend != nil {
				s.clock.advance(spoolRetry)
				if err := s.put("into nowhere"); !errors.Is(err, errSpoolDisk) {
					t.Fatalf("while it is missing: %v", err)
				}
				if said.of("spool directory is missing; nothing goes into it until it is back; mount it or make it again") != 1 {
					t.Errorf("said: %v", said.n)
				}
				tc.mend(t, dir)
			}
			s.look()
			s.clock.advance(spoolRetry)
			s.mustPut("3", "4")
			again := openSpool(t, copyDir(t, dir))
			if got := again.rest(); !slices.Contains(got, "3") || !slices.Contains(got, "4") {
				t.Errorf("the next run finds %q", got)
			}
			got := s.rest()
			if n := len(slices.DeleteFunc(got, func(v string) bool { return v >= "3" })); n != 3-tc.lost {
				t.Errorf("%d of the first three came back: %q", n, got)
			}
			if n := testutil.ToFloat64(s.metrics.spoolLost); int(n) != tc.lost {
				t.Errorf("%v events counted as lost, not %d; said %v", n, tc.lost, said.n)
			}
			if f := s.figures(); f.events != 0 {
				t.Errorf("left: %+v", f)
			}
		})
	}
}

// Nobody appends and nobody takes: it is said all the same.
func TestSpoolPlaceLookedAt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := openSpool(t, dir, func(s *spool) { s.segmentBytes = 1 })
	s.mustPut("sealed", "active") // two files
	must(t, os.RemoveAll(dir))
	waitUntil(t, func() bool { return testutil.ToFloat64(s.metrics.spoolLost) == 2 })
	if f := s.figures(); f != (figures{}) || !s.missed() {
		t.Errorf("left: %+v", f)
	}
	must(t, os.MkdirAll(dir, 0o750))
	waitUntil(t, func() bool { return !s.missed() })
	s.mustPut("after")
	other := newSpool(dir, 1<<30, time.Hour, s.metrics, s.log, time.Now)
	if err := other.open(); err == nil {
		t.Error("the directory that came back is not locked")
	}
}

// The volume is gone, and its mount point, an empty directory of another file system, is in its place: nothing may go there.
func TestSpoolVolumeGone(t *testing.T) {
	other, err := os.MkdirTemp("/dev/shm", "sluice-test-*")
	if err != nil {
		t.Skipf("the test wants a second file system: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(other) })
	dir := filepath.Join(t.TempDir(), "spool")
	s := openSpool(t, dir)
	info, err := os.Stat(other)
	must(t, err)
	if device(info) == device(s.place.info) {
		t.Skip("the test wants a second file system beside that of " + dir)
	}
	s.mustPut("before")
	must(t, os.Rename(dir, dir+".away"))
	must(t, os.Symlink(other, dir))
	for range 2 {
		if err := s.put("into the mount point"); !errors.Is(err, errSpoolDisk) {
			t.Fatalf("got %v", err)
		}
		s.look()
		s.clock.advance(spoolRetry)
	}
	if left, err := os.ReadDir(other); err != nil || len(left) > 0 {
		t.Errorf("left in the mount point: %v %v", left, err)
	}
	// It is mounted again, as another device: the same files, that is.
	must(t, os.Remove(dir))
	must(t, os.Mkdir(dir, 0o750))
	for _, name := range names(t, dir+".away", "") {
		text, err := os.ReadFile(name)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), text, 0o600))
	}
	s.look()
	s.mustPut("after")
	if got := s.rest(); !slices.Contains(got, "before") || !slices.Contains(got, "after") {
		t.Errorf("came: %q", got)
	}
	if n := testutil.ToFloat64(s.metrics.spoolLost); n != 0 {
		t.Errorf("%v lost", n)
	}
}

// Another spool's files in the place of this one's are sent too.
func TestSpoolPlaceTakenOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := openSpool(t, dir)
	s.mustPut("a", "b")
	other := openSpool(t, dir+".other")
	other.mustPut("c", "d", "e")
	other.shut()
	must(t, os.Rename(dir, dir+".away"))
	must(t, os.Rename(dir+".other", dir))
	s.look()
	if got := s.rest(); !slices.Equal(got, []string{"c", "d", "e"}) {
		t.Errorf("came: %q", got)
	}
	if n := testutil.ToFloat64(s.metrics.spoolLost); n != 2 {
		t.Errorf("%v lost", n)
	}
}

// A missing file in the middle holds up nothing behind it.
func TestSpoolFileDeletedBeforeReplay(t *testing.T) {
	dir := t.TempDir()
	s := openSpool(t, dir, func(s *spool) { s.segmentBytes = 1 })
	s.mustPut(numbered(5)...)
	must(t, os.Remove(names(t, dir, segmentSuffix)[1]))
	if got, want := s.rest(), slices.Delete(numbered(5), 1, 2); !slices.Equal(got, want) {
		t.Errorf("came: %q", got)
	}
	if n := testutil.ToFloat64(s.metrics.spoolLost); n != 1 {
		t.Errorf("%v lost", n)
	}
}

// Over HTTP: 503 instead of a 202 that is none, and 202 again when the directory is back.
func TestSpoolPlaceLostOverHTTP(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	spool, metric := withSpool(t, dir)
	s := serve(t, spool)
	s.producer.down(errDown)
	for i := range 20 {
		if got := s.single(fmt.Sprintf(`{"message":"%d"}`, i)); got.status != http.StatusAccepted {
			t.Fatalf("%d %s", got.status, got.text)
		}
	}
	must(t, os.RemoveAll(dir))
	for range 5 {
		if got := s.single(`{"message":"lost"}`); got.status != http.StatusServiceUnavailable || got.body.Retryable == nil || !*got.body.Retryable {
			t.Fatalf("%d %s", got.status, got.text)
		}
	}
	must(t, os.MkdirAll(dir, 0o750))
	s.clock.advance(spoolRetry)
	waitUntil(t, func() bool { return s.single(`{"message":"kept"}`).status == http.StatusAccepted })
	s.producer.up()
	waitUntil(t, func() bool { return metric("spool_events") == 0 })
	values := s.producer.values()
	if !slices.Contains(values, `{"message":"kept"}`) {
		t.Error("what was kept afterwards did not come")
	}
	// What replay had open already comes although it is deleted.
	came := len(slices.DeleteFunc(values, func(v string) bool { return strings.Contains(v, "kept") || strings.Contains(v, "lost") }))
	if lost := metric("spool_lost_events_total"); came+int(lost) != 20 {
		t.Errorf("%d came and %v are counted as lost, of 20", came, lost)
	}
}

// The directory becomes unwritable: what is acknowledged is in the file, and a new file cannot be begun. As root nothing is
// unwritable.
func TestSpoolPlaceReadOnly(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("run as another user than root to see a directory that cannot be written")
	}
	dir := t.TempDir()
	s := openSpool(t, dir, func(s *spool) { s.segmentBytes = 1 })
	s.mustPut("before")
	must(t, os.Chmod(dir, 0o500)) //nolint:gosec // the test's own
	if err := s.put("refused"); !errors.Is(err, errSpoolDisk) {
		t.Errorf("got %v", err)
	}
	must(t, os.Chmod(dir, 0o700)) //nolint:gosec // the test's own
	s.clock.advance(spoolRetry)
	s.mustPut("after")
	if got := s.rest(); !slices.Equal(got, []string{"before", "after"}) {
		t.Errorf("came: %q", got)
	}
}

// The directory is looked at while replay takes files and removes them: none of these is taken for lost.
func TestSpoolLookedAtDuringReplay(t *testing.T) {
	s := openSpool(t, t.TempDir(), func(s *spool) { s.segmentBytes = 1 })
	s.mustPut(numbered(30)...)
	for _, value := range numbered(30) {
		must(t, s.keepRefused(&entry{acceptedAt: s.clock.now(), partition: -1, count: 1, records: runOf(value)}, errors.New("refused")))
	}
	stop := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				s.look()
			}
		}
	})
	if got := s.rest(); !slices.Equal(got, numbered(30)) {
		t.Errorf("came: %q", got)
	}
	for _, seg := range s.refusedFiles() {
		must(t, s.taken(seg))
	}
	close(stop)
	looking.Wait()
	if f := s.figures(); f.events != 0 {
		t.Errorf("%d events are left", f.events)
	}
	if n := testutil.ToFloat64(s.metrics.spoolLost); n != 0 {
		t.Errorf("%v lost", n)
	}
}
