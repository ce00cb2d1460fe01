package projects

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// checkEvery is how often the file is checked without an announced change. Network file systems and bind mounts
	// announce none.
	checkEvery = 2 * time.Second
	// quietTime is how long the folder must be quiet before the file is read, so that a file is not read half written.
	quietTime = 100 * time.Millisecond
	// maxQuietWait bounds the wait for a quiet folder.
	maxQuietWait = time.Second
)

// Run watches the file until ctx ends, and calls use with each new set. A broken file changes nothing. Run logs its
// fault once, and again when the fault changes.
//
// Run watches the folder and not the file, so that it notices a file that is replaced, as by editors and by Kubernetes'
// symlinks.
func (f *File) Run(ctx context.Context, use func(*Set)) {
	var events chan fsnotify.Event
	var lost chan error
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer w.Close() //nolint:errcheck // nothing depends on it any more
		if err := w.Add(filepath.Dir(f.path)); err == nil {
			events, lost = w.Events, w.Errors
		}
	}
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	quiet := time.NewTimer(0)
	defer quiet.Stop()
	var since time.Time // of the first announced change that has not been read; zero: there is none
	announced := false  // one of these changes is the file's own, and not another file's in its folder
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if since.IsZero() {
				since = time.Now()
			}
			announced = announced || filepath.Base(e.Name) == filepath.Base(f.path)
			quiet.Reset(max(0, min(quietTime, maxQuietWait-time.Since(since))))
			continue
		case err := <-lost: // the next tick finds the change
			f.log.Debug("changes of files were not announced", "err", err)
			continue
		case <-tick.C:
			if !since.IsZero() {
				continue // the quiet timer is running
			}
		case <-quiet.C:
		}
		if f.reload(ctx, announced, use) {
			quiet.Reset(quietTime)
			continue
		}
		since, announced = time.Time{}, false
	}
}

// reload reads the file if it changed and passes the new set to use. It returns true if the file is being written and
// must be read again soon. For announced see read.
func (f *File) reload(ctx context.Context, announced bool, use func(*Set)) (again bool) {
	start, pace := time.Now(), newPacer(ctx, f.path)
	set, err := f.read(announced, pace)
	switch {
	case errors.Is(err, errUnchanged), ctx.Err() != nil:
		return false
	case errors.Is(err, errBeingWritten):
		return true
	case err != nil:
		f.broken.Store(true)
		if fault := err.Error(); fault != f.lastFault {
			f.lastFault = fault
			f.log.Error("projects file is broken, the last good one stays in force", "err", firstLines(fault, 3))
		}
		return false
	}
	use(set)
	f.broken.Store(false)
	f.lastFault = ""
	c := set.since(f.last, pace)
	f.last = set
	if ctx.Err() != nil {
		return false // the count is incomplete
	}
	f.log.Info("projects file is in force", "projects", set.Len(), "keys", set.Keys(),
		"added", c.added, "removed", c.removed, "changed", c.changed, "took", time.Since(start).Round(time.Millisecond))
	return false
}

// firstLines joins the first n lines of a text to one line. An ellipsis stands for the others.
func firstLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	if len(lines) > n {
		lines = append(lines[:n], "…")
	}
	return strings.Join(lines, "; ")
}
