package gateway

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// projectsAge is how old the projects may be: the file is looked at this often even when no change was announced, because
	// announcements do not come over network file systems and bind mounts.
	projectsAge = 2 * time.Second
	// projectsQuiet is how long the file must be left alone before it is read, so that it is not read half written, and
	// projectsPatience how long reading may be put off.
	projectsQuiet    = 100 * time.Millisecond
	projectsPatience = time.Second
)

// watchProjects keeps the projects as the file has them, until ctx ends. The folder is watched and not the file, so that a
// file that is replaced, as editors and Kubernetes' symlinks do, is noticed too.
func (g *Gateway) watchProjects(ctx context.Context) {
	if g.deps.Projects != nil {
		return
	}
	var events chan fsnotify.Event
	var lost chan error
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer w.Close() //nolint:errcheck // nothing depends on it any more
		if err := w.Add(filepath.Dir(g.cfg.ProjectsFile)); err == nil {
			events, lost = w.Events, w.Errors
		}
	}
	tick := time.NewTicker(projectsAge)
	defer tick.Stop()
	quiet := time.NewTimer(0)
	defer quiet.Stop()
	var since time.Time // when the first of the changes was announced that are not yet read
	itself := false     // one of them was about the file and not about another one in its folder
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			if since.IsZero() {
				since = time.Now()
			}
			itself = itself || filepath.Base(e.Name) == filepath.Base(g.cfg.ProjectsFile)
			quiet.Reset(max(0, min(projectsQuiet, projectsPatience-time.Since(since))))
			continue
		case err := <-lost: // the next tick finds what was not announced
			g.log.Debug("changes of files were not announced", "err", err)
			continue
		case <-tick.C:
			if !since.IsZero() {
				continue // soon
			}
		case <-quiet.C:
		}
		if g.reloadProjects(ctx, itself) {
			quiet.Reset(projectsQuiet)
			continue
		}
		since, itself = time.Time{}, false
	}
}

// reloadProjects reads the file, if it is another one than before, and puts it into force whole. A broken file changes nothing and
// is said once, as long as its fault stays the same. It returns true if the file is being written, and is to be read again soon.
// certain says that the file must be looked into even if its size and its time are the same.
func (g *Gateway) reloadProjects(ctx context.Context, certain bool) (again bool) {
	pace := newPacer(ctx)
	old, start := g.projects.Load(), time.Now()
	projects, err := g.file.read(old, g.now(), certain, pace)
	switch {
	case errors.Is(err, errSameFile), ctx.Err() != nil:
		return false
	case errors.Is(err, errBeingWritten):
		return true
	case err != nil:
		g.file.broken.Store(true)
		if fault := err.Error(); fault != g.file.fault {
			g.file.fault = fault
			g.log.Error("projects file is broken, the last good one stays in force", "err", firstLines(fault, 3))
		}
		return false
	}
	g.useProjects(projects)
	projects.limiters.retain(projects)
	g.file.broken.Store(false)
	g.file.fault = ""
	c := projects.since(old, pace)
	g.log.Info("projects file is in force", "projects", projects.Len(), "keys", projects.Keys(),
		"added", c.added, "removed", c.removed, "changed", c.changed, "took", time.Since(start).Round(time.Millisecond))
	return false
}

// firstLines makes one line of a text, and leaves out what comes after the first few.
func firstLines(text string, n int) string {
	lines := strings.Split(text, "\n")
	if len(lines) > n {
		lines = append(lines[:n], "…")
	}
	return strings.Join(lines, "; ")
}
