package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
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
	if err := os.WriteFile(path+".next", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
}

// TestReloadIsSaid: what a reload changed is a line of the log; a broken file is one line for each thing that is wrong with it, and a
// figure as long as it lasts.
func TestReloadIsSaid(t *testing.T) {
	file := func(entries ...string) string { return "projects:\n- " + strings.Join(entries, "\n- ") + "\n" }
	a, b, c := "{id: a, keys: [{name: k, sha256: \""+hash(testKey)+"\"}]}", "{id: b, keys: []}", "{id: c, keys: []}"
	var log logged
	s := serve(t, withProjects(t, file(a, b, c)), func(_ *Config, d *Deps) { d.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	if log.count("level=INFO", `msg="projects file is in force"`, "projects=3", "keys=1") != 1 {
		t.Errorf("at start: %s", &log.text)
	}
	replaceFile(t, s.cfg.ProjectsFile, file(a, strings.Replace(b, "b,", "b, disabled: true,", 1), strings.Replace(c, "c,", "d,", 1), strings.Replace(c, "c,", "e,", 1)))
	waitUntil(t, func() bool {
		return log.count("level=INFO", "in force", "projects=4", "keys=1", "added=2", "removed=1", "changed=1") == 1
	})
	broken := func() float64 { return s.counter("sluice_gateway_projects_file_broken", "") }
	if got := s.counter("sluice_gateway_projects", ""); got != 4 || broken() != 0 {
		t.Errorf("%v projects, broken %v", got, broken())
	}
	good := s.projects.Load()

	const said = "the last good one stays in force"
	replaceFile(t, s.cfg.ProjectsFile, file("{id: 0755}"))
	waitUntil(t, func() bool { return log.count("level=ERROR", said, "line 2", "put it in quotes") == 1 && broken() == 1 })
	replaceFile(t, s.cfg.ProjectsFile, file("{id: 0755}")+"# the same fault\n")
	replaceFile(t, s.cfg.ProjectsFile, file("{id: a, kyes: []}"))
	waitUntil(t, func() bool { return log.count("level=ERROR", said, "did you mean keys?") == 1 })
	if n := log.count("level=ERROR"); n != 2 || s.projects.Load() != good {
		t.Errorf("%d errors, good one in force: %v\n%s", n, s.projects.Load() == good, &log.text)
	}
	if err := os.Remove(s.cfg.ProjectsFile); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return log.count("level=ERROR", said, "no such file") == 1 })
	replaceFile(t, s.cfg.ProjectsFile, file(a))
	waitUntil(t, func() bool {
		return log.count("in force", "projects=1", "added=0", "removed=3", "changed=0") == 1 && broken() == 0
	})
	if log.count(hash(testKey)[:16]) > 0 {
		t.Error("a digest is in the log")
	}
}

// TestFileIsReadWhenItChanged: and only then.
func TestFileIsReadWhenItChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projects.yaml")
	write := func(text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	small, large := "projects: [{id: a}]\n", "projects: [{id: a}]\n#"+strings.Repeat("x", smallFile)+"\n"
	long, now := time.Now().Add(-time.Hour), time.Now()
	for _, c := range []struct {
		name    string
		first   string
		at      time.Time
		second  string
		at2     time.Time
		certain bool
		read    bool
	}{
		{"nothing", small, long, small, long, false, false},
		{"nothing, certain", small, long, small, long, true, false},
		{"another time", large, long, large, now, false, false},
		{"another content", small, long, strings.Replace(small, "a", "b", 1), now, false, true},
		{"the same size and time, small", small, long, strings.Replace(small, "a", "b", 1), long, false, true},
		{"the same size and time, large, announced", large, long, strings.Replace(large, "a", "b", 1), long, true, true},
		{"the same size and time, large, just written", large, now, strings.Replace(large, "a", "b", 1), now, false, true},
		{"the same size and time, large", large, long, strings.Replace(large, "a", "b", 1), long, false, false},
		{"another size", large, long, large + "#", long, false, true},
	} {
		p := projectsFile{path: path}
		write(c.first, c.at)
		first, err := p.read(nil, now, false, nil)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		write(c.second, c.at2)
		second, err := p.read(first, now, c.certain, nil)
		if (err == nil) != c.read || !c.read && !errors.Is(err, errSameFile) {
			t.Errorf("%s: %v, read %v", c.name, err, second != nil)
		}
	}
}

// TestBrokenFileIsReadOnce: a broken file that stays as it is is not read again, and a missing one is when it is back.
func TestBrokenFileIsReadOnce(t *testing.T) {
	p := projectsFile{path: filepath.Join(t.TempDir(), "projects.yaml")}
	good := "projects: [{id: a}]\n"
	replaceFile(t, p.path, good)
	first, err := p.read(nil, time.Now(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	replaceFile(t, p.path, "projects: [")
	if _, err := p.read(first, time.Now(), false, nil); err == nil || errors.Is(err, errSameFile) {
		t.Errorf("broken: %v", err)
	}
	if _, err := p.read(first, time.Now(), true, nil); !errors.Is(err, errSameFile) {
		t.Errorf("still broken: %v", err)
	}
	replaceFile(t, p.path, good)
	if _, err := p.read(first, time.Now(), false, nil); err != nil {
		t.Errorf("good again: %v", err)
	}
	if err := os.Remove(p.path); err != nil {
		t.Fatal(err)
	}
	if _, err := p.read(first, time.Now(), false, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	replaceFile(t, p.path, good)
	if _, err := p.read(first, time.Now(), false, nil); err != nil {
		t.Errorf("back: %v", err)
	}
}

// TestLimitersOutliveReloads: an unchanged limit goes on, a changed one begins anew, one that nobody has any more is forgotten.
func TestLimitersOutliveReloads(t *testing.T) {
	read := func(old *Projects, limit string) *Projects {
		t.Helper()
		p, err := parseProjects([]byte("projects: [{id: a, keys: [{sha256: \""+hash("k")+"\"}], limit: "+limit+"}]"), old, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if old != nil {
			p.limiters.retain(p)
		}
		return p
	}
	limiterOf := func(p *Projects) *limiter { return p.find([]byte("k")).limit }
	one := read(nil, "{events: 5}")
	first := limiterOf(one)
	two := read(one, "{events: 5, window: 60s, retry_after: window}")
	if limiterOf(two) != first {
		t.Error("the same limit is another limiter")
	}
	three := read(two, "{events: 6}")
	if limiterOf(three) == first || limiterOf(three).events != 6 {
		t.Error("a changed limit is the same limiter")
	}
	if n := len(three.limiters.inUse); n != 1 {
		t.Errorf("%d limiters in use", n)
	}
	if limiterOf(read(three, "{unlimited: true}")) != nil || len(three.limiters.inUse) != 0 {
		t.Error("no limit is a limiter")
	}
	// A request that found the project before the change made its limiter after it: the same one is used.
	old := read(nil, "{events: 7}")
	next := read(old, "{events: 7}")
	if limiterOf(old) != limiterOf(next) {
		t.Error("two limiters of one limit")
	}
}

// TestProjectIsMadeOnce: however many ask for it at once.
func TestProjectIsMadeOnce(t *testing.T) {
	var text strings.Builder
	const n = 10_000
	text.WriteString("projects:\n")
	for i := range n {
		fmt.Fprintf(&text, "- {id: p%d, keys: [{sha256: \"%s\"}, {sha256: \"%s\"}], origins: [\"https://o%d.example\"]}\n", i, hash(fmt.Sprint("a", i)), hash(fmt.Sprint("b", i)), i%100)
	}
	projects, err := parseProjects([]byte(text.String()), nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if projects.Len() != n || projects.Keys() != 2*n || projects.originLists.len() != 101 {
		t.Errorf("%d projects, %d keys, %d lists", projects.Len(), projects.Keys(), projects.originLists.len())
	}
	found := make([][]*project, 4)
	var all sync.WaitGroup
	for who := range found {
		all.Go(func() {
			for i := range n {
				found[who] = append(found[who], projects.find(fmt.Append(nil, "a", i)))
			}
		})
	}
	all.Wait()
	for i := range n {
		p := projects.find(fmt.Append(nil, "b", i))
		for who := range found {
			if found[who][i] != p || p.id != fmt.Sprintf("p%d", i) || !p.origins.admits(fmt.Appendf(nil, "https://o%d.example", i%100)) || p.origins.admits([]byte("https://o100.example")) {
				t.Fatalf("%d: %+v and %+v", i, p, found[who][i])
			}
		}
	}
	if projects.find([]byte("c")) != nil || projects.find(nil) != nil || (&Projects{}).find([]byte("a0")) != nil {
		t.Error("found what is not there")
	}
	if !projects.origins.admits([]byte("https://o99.example")) || projects.origins.admits([]byte("https://o100.example")) {
		t.Error("the origins of all")
	}
}

// TestTextSet against a map, across all sizes at which it grows.
func TestTextSet(t *testing.T) {
	var set textSet
	want := map[string]uint32{}
	for i := range 5_000 {
		text := fmt.Sprint("text ", i*7%4_000)
		if i%1_000 == 999 {
			text += strings.Repeat("x", namePiece) // larger than a piece
		}
		n, added := set.add([]byte(text))
		old, there := want[text]
		if added == there || there && n != old || !there && int(n) != len(want) {
			t.Fatalf("%.20q: %d, %v", text, n, added)
		}
		want[text] = n
		if string(set.get(n)) != text {
			t.Fatalf("%d is %.20q", n, set.get(n))
		}
	}
	for text, n := range want {
		if got, ok := set.find([]byte(text)); !ok || got != n {
			t.Fatalf("%.20q: %d, %v", text, got, ok)
		}
	}
	if _, ok := set.find([]byte("text")); ok || set.len() != len(want) {
		t.Error("found what is not there")
	}
	if n, added := set.add(nil); !added || len(set.get(n)) != 0 {
		t.Error("the empty text")
	}
}

// BenchmarkFindProject is the look-up that each request makes.
func BenchmarkFindProject(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		builder := newProjectsBuilder(nil, time.Now())
		for i := range n {
			e := projectEntry{id: fmt.Sprint("p", i), keys: make([]keyEntry, 1), origins: []byte(anyOrigin)}
			readDigest(&e.keys[0].digest, hash(fmt.Sprint("k", i)))
			builder.add(&e, func(int, error) {})
		}
		projects := builder.done()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			key := []byte("k0")
			for b.Loop() {
				projects.find(key)
			}
		})
	}
}
