package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/projects"
	"sluice/gateway/ratelimit"
)

// logged is a log that a test may read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// count counts the lines that hold all of these words.
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

// TestReloadIsSaid: what a reload changed is a line of the log; a broken file is one line for each thing that is wrong
// with it, and a figure as long as it lasts.
func TestReloadIsSaid(t *testing.T) {
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

// TestLimitersOutliveReloads: a limit that did not change goes on, a changed one begins anew, and one that no project
// has any more is forgotten.
func TestLimitersOutliveReloads(t *testing.T) {
	read := func(old *projectSet, limit string) *projectSet {
		t.Helper()
		set := projectsIn(t, "projects: [{id: a, keys: [{sha256: \""+hash("k")+"\"}], limit: "+limit+"}]")
		limiters := newLimiters(nil)
		if old != nil {
			limiters = old.limiters
			limiters.retain(set)
		}
		return newProjectSet(set, limiters, time.Now())
	}
	limiterOf := func(s *projectSet) *ratelimit.Limiter { return s.find([]byte("k")).limit }
	one := read(nil, "{events: 5}")
	first := limiterOf(one)
	two := read(one, "{events: 5, window: 60s, retry_after: window}")
	assert.Same(t, first, limiterOf(two), "the same limit")
	three := read(two, "{events: 6}")
	assert.NotSame(t, first, limiterOf(three), "a changed limit")
	assert.EqualValues(t, 6, limiterOf(three).Events)
	assert.Len(t, three.limiters.inUse, 1)
	assert.Nil(t, limiterOf(read(three, "{unlimited: true}")))
	assert.Empty(t, three.limiters.inUse)
	// A request that found the project before the change made its limiter after it: the same one is used.
	old := read(nil, "{events: 7}")
	next := read(old, "{events: 7}")
	assert.Same(t, limiterOf(old), limiterOf(next))
}

// TestProjectIsMadeOnce: all requests of a project get the same one, however many ask for it at once.
func TestProjectIsMadeOnce(t *testing.T) {
	var text strings.Builder
	const n = 10_000
	text.WriteString("projects:\n")
	for i := range n {
		fmt.Fprintf(&text, `- {id: p%d, keys: [{sha256: "%s"}, {sha256: "%s"}], origins: ["https://o%d.example"]}`+"\n",
			i, hash(fmt.Sprint("a", i)), hash(fmt.Sprint("b", i)), i%100)
	}
	inForce := newProjectSet(projectsIn(t, text.String()), newLimiters(nil), time.Now())
	assert.Equal(t, n, inForce.Len())
	assert.Equal(t, 2*n, inForce.Keys())
	found := make([][]*project, 4)
	var all sync.WaitGroup
	for who := range found {
		all.Go(func() {
			for i := range n {
				found[who] = append(found[who], inForce.find(fmt.Append(nil, "a", i)))
			}
		})
	}
	all.Wait()
	for i := range n {
		p := inForce.find(fmt.Append(nil, "b", i))
		for who := range found {
			require.Same(t, p, found[who][i], "project %d", i)
		}
		require.Equal(t, fmt.Sprint("p", i), p.id)
		require.True(t, p.origins.Admits(fmt.Appendf(nil, "https://o%d.example", i%100)), "project %d", i)
		require.False(t, p.origins.Admits([]byte("https://o100.example")), "project %d", i)
	}
	assert.Nil(t, inForce.find([]byte("c")))
	assert.Nil(t, inForce.find(nil))
	assert.Nil(t, newProjectSet(&projects.Set{}, newLimiters(nil), time.Now()).find([]byte("a0")))
	assert.True(t, inForce.origins.Admits([]byte("https://o99.example")), "the origins of all")
	assert.False(t, inForce.origins.Admits([]byte("https://o100.example")), "the origins of all")
}

// BenchmarkFindProject is the look-up that each request makes, with the project's limiter.
func BenchmarkFindProject(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "{\"id\":\"p%d\",\"keys\":[{\"sha256\":\"%s\"}]}\n", i, hash(fmt.Sprint("k", i)))
		}
		set, err := projects.Parse(strings.NewReader(text.String()), "projects.jsonl")
		require.NoError(b, err)
		inForce := newProjectSet(set, newLimiters(nil), time.Now())
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			key := []byte("k0")
			for b.Loop() {
				inForce.find(key)
			}
		})
	}
}
