package ingest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/gateway/projects"
	"sluice/gateway/ratelimit"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLimitersOutliveReloads: an unchanged limit keeps its state, a changed one starts full, and one without a
// project is forgotten.
func TestLimitersOutliveReloads(t *testing.T) {
	read := func(old *ProjectSet, limit string) *ProjectSet {
		t.Helper()
		set := projectsIn(t, "projects: [{id: a, keys: [{sha256: \""+hash("k")+"\"}], limit: "+limit+"}]")
		limiters := NewLimiters(nil)
		if old != nil {
			limiters = old.limiters
			limiters.Retain(set)
		}
		return NewProjectSet(set, limiters, time.Now())
	}
	limiterOf := func(s *ProjectSet) *ratelimit.Limiter { return s.Find([]byte("k")).Limit }
	one := read(nil, "{events: 5}")
	first := limiterOf(one)
	two := read(one, "{events: 5, window: 60s, retry_after: window}")
	assert.Same(t, first, limiterOf(two), "the same limit")
	three := read(two, "{events: 6}")
	assert.NotSame(t, first, limiterOf(three), "a changed limit")
	assert.EqualValues(t, 6, limiterOf(three).Limit().Events)
	assert.Len(t, three.limiters.inUse, 1)
	assert.Nil(t, limiterOf(read(three, "{unlimited: true}")))
	assert.Empty(t, three.limiters.inUse)
	// This request found its project before the change and made its limiter after it. The limiter is the same.
	old := read(nil, "{events: 7}")
	next := read(old, "{events: 7}")
	assert.Same(t, limiterOf(old), limiterOf(next))
}

// TestProjectIsMadeOnce: all requests of a project get the same one, however many ask at once.
func TestProjectIsMadeOnce(t *testing.T) {
	var text strings.Builder
	const n = 10_000
	text.WriteString("projects:\n")
	for i := range n {
		fmt.Fprintf(&text, `- {id: p%d, keys: [{sha256: "%s"}, {sha256: "%s"}], origins: ["https://o%d.example"]}`+"\n",
			i, hash(fmt.Sprint("a", i)), hash(fmt.Sprint("b", i)), i%100)
	}
	inForce := NewProjectSet(projectsIn(t, text.String()), NewLimiters(nil), time.Now())
	assert.Equal(t, n, inForce.Len())
	assert.Equal(t, 2*n, inForce.Keys())
	found := make([][]*project, 4)
	var all sync.WaitGroup
	for who := range found {
		all.Go(func() {
			for i := range n {
				found[who] = append(found[who], inForce.Find(fmt.Append(nil, "a", i)))
			}
		})
	}
	all.Wait()
	for i := range n {
		p := inForce.Find(fmt.Append(nil, "b", i))
		for who := range found {
			require.Same(t, p, found[who][i], "project %d", i)
		}
		require.Equal(t, fmt.Sprint("p", i), p.id)
		require.True(t, p.origins.Admits(fmt.Appendf(nil, "https://o%d.example", i%100)), "project %d", i)
		require.False(t, p.origins.Admits([]byte("https://o100.example")), "project %d", i)
	}
	assert.Nil(t, inForce.Find([]byte("c")))
	assert.Nil(t, inForce.Find(nil))
	assert.Nil(t, NewProjectSet(&projects.Set{}, NewLimiters(nil), time.Now()).Find([]byte("a0")))
	assert.True(t, inForce.origins.Admits([]byte("https://o99.example")), "the origins of all")
	assert.False(t, inForce.origins.Admits([]byte("https://o100.example")), "the origins of all")
}

// BenchmarkFindProject measures the look-up that each request makes, with the project's limiter.
func BenchmarkFindProject(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "{\"id\":\"p%d\",\"keys\":[{\"sha256\":\"%s\"}]}\n", i, hash(fmt.Sprint("k", i)))
		}
		set, err := projects.Parse(strings.NewReader(text.String()), "projects.jsonl")
		require.NoError(b, err)
		inForce := NewProjectSet(set, NewLimiters(nil), time.Now())
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			key := []byte("k0")
			for b.Loop() {
				inForce.Find(key)
			}
		})
	}
}
