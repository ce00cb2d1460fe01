package gateway

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/projects"
)

// logged is a log that a test may read while others write it.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count returns how many lines hold all of these words.
func (l *logged) count(words ...string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
next:
	for line := range strings.Lines(l.text.String()) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		n++
	}
	return n
}

func replaceFile(t testing.TB, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".next", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".next", path))
}

// TestReloadIsSaid: a reload logs what it changed. A broken file logs each of its faults once, and sets a metric
// while it is broken.
func TestReloadIsSaid(t *testing.T) {
	t.Parallel()
	file := func(entries ...string) string { return "projects:\n- " + strings.Join(entries, "\n- ") + "\n" }
	a, b, c := "{id: a, keys: [{name: k, sha256: \""+hash(testKey)+"\"}]}", "{id: b, keys: []}", "{id: c, keys: []}"
	var log logged
	s := serve(t, withProjects(t, file(a, b, c)), func(_ *Config, d *Deps) {
		d.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	atStart := log.count("level=INFO", `msg="projects file is in force"`, "projects=3", "keys=1")
	assert.Equal(t, 1, atStart, &log.text)
	replaceFile(t, s.cfg.ProjectsFile, file(a, strings.Replace(b, "b,", "b, disabled: true,", 1),
		strings.Replace(c, "c,", "d,", 1), strings.Replace(c, "c,", "e,", 1)))
	waitUntil(t, func() bool {
		return log.count("level=INFO", "in force", "projects=4", "keys=1", "added=2", "removed=1", "changed=1") == 1
	})
	broken := func() float64 { return s.counter("sluice_gateway_projects_file_broken", "") }
	assert.EqualValues(t, 4, s.counter("sluice_gateway_projects", ""))
	assert.EqualValues(t, 1, s.counter("sluice_gateway_project_keys", ""))
	assert.Zero(t, broken())
	good := s.projects.Load()

	const said = "the last good one stays in force"
	replaceFile(t, s.cfg.ProjectsFile, file("{id: 0755}"))
	waitUntil(t, func() bool {
		return log.count("level=ERROR", said, "line 2", "put it in quotes") == 1 && broken() == 1
	})
	replaceFile(t, s.cfg.ProjectsFile, file("{id: 0755}")+"# the same fault\n")
	replaceFile(t, s.cfg.ProjectsFile, file("{id: a, kyes: []}"))
	waitUntil(t, func() bool { return log.count("level=ERROR", said, "did you mean keys?") == 1 })
	assert.Equal(t, 2, log.count("level=ERROR"), &log.text)
	assert.Same(t, good, s.projects.Load())
	require.NoError(t, os.Remove(s.cfg.ProjectsFile))
	waitUntil(t, func() bool { return log.count("level=ERROR", said, "no such file") == 1 })
	replaceFile(t, s.cfg.ProjectsFile, file(a))
	waitUntil(t, func() bool {
		return log.count("in force", "projects=1", "added=0", "removed=3", "changed=0") == 1 && broken() == 0
	})
	assert.Zero(t, log.count(hash(testKey)[:16]), "a digest is in the log")
}

// projectsIn reads a projects file in YAML.
func projectsIn(t testing.TB, text string) *projects.Set {
	t.Helper()
	set, err := projects.Parse(strings.NewReader(text), "projects.yaml")
	require.NoError(t, err)
	return set
}
