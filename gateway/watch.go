package gateway

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// projectsAge is how old the projects may be: the file is read again this often even when no change was announced, because
// announcements do not come over network file systems and bind mounts.
const projectsAge = 2 * time.Second

// watchProjects keeps the projects as the file has them, until ctx ends. The folder is watched and not the file, so that a
// file that is replaced, as editors and Kubernetes' symlinks do, is noticed too.
func (g *Gateway) watchProjects(ctx context.Context) {
	if g.deps.Projects != nil {
		return
	}
	var events chan fsnotify.Event
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer w.Close() //nolint:errcheck // nothing depends on it any more
		if err := w.Add(filepath.Dir(g.cfg.ProjectsFile)); err == nil {
			events = w.Events
		}
	}
	tick := time.NewTicker(projectsAge)
	defer tick.Stop()
	lastFault := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-events:
		case <-tick.C:
		}
		lastFault = g.reloadProjects(lastFault)
	}
}

// reloadProjects reads the file and puts it into force whole. A broken file changes nothing and is said once, as long as
// its fault stays the same.
func (g *Gateway) reloadProjects(lastFault string) string {
	projects, err := LoadProjects(g.cfg.ProjectsFile, g.projects.Load(), g.now())
	if err != nil {
		if err.Error() != lastFault {
			g.log.Error("projects file is broken, the last good one stays in force", "err", err)
		}
		return err.Error()
	}
	if lastFault != "" {
		g.log.Info("projects file is good again")
	}
	g.useProjects(projects)
	return ""
}
