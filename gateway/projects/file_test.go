package projects

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hashOf returns the digest of a key as the file has it.
func hashOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func fileAt(path string) *File { return NewFile(path, slog.New(slog.DiscardHandler)) }

// replaceFile puts a file into place at once.
func replaceFile(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".next", []byte(text), 0o600))
	require.NoError(t, os.Rename(path+".next", path))
}

// TestFileIsReadWhenItChanged: a file is read if its content changed, and only then.
func TestFileIsReadWhenItChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projects.yaml")
	write := func(text string, at time.Time) {
		t.Helper()
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	small, large := "projects: [{id: a}]\n", "projects: [{id: a}]\n#"+strings.Repeat("x", smallFile)+"\n"
	otherSmall, otherLarge := strings.Replace(small, "a", "b", 1), strings.Replace(large, "a", "b", 1)
	long, now := time.Now().Add(-time.Hour), time.Now()
	fresh := now.Add(time.Hour) // what was just written, however long the test takes
	for _, c := range []struct {
		name      string
		first     string
		at        time.Time
		second    string
		at2       time.Time
		announced bool
		read      bool
	}{
		{"nothing", small, long, small, long, false, false},
		{"nothing, announced", small, long, small, long, true, false},
		{"another time", large, long, large, now, false, false},
		{"another content", small, long, otherSmall, now, false, true},
		{"the same size and time, small", small, long, otherSmall, long, false, true},
		{"the same size and time, large, announced", large, long, otherLarge, long, true, true},
		{"the same size and time, large, just written", large, fresh, otherLarge, fresh, false, true},
		{"the same size and time, large", large, long, otherLarge, long, false, false},
		{"another size", large, long, large + "#", long, false, true},
	} {
		f := fileAt(path)
		write(c.first, c.at)
		_, err := f.read(false, nil)
		require.NoError(t, err, c.name)
		write(c.second, c.at2)
		set, err := f.read(c.announced, nil)
		if c.read {
			assert.NoError(t, err, c.name)
			assert.NotNil(t, set, c.name)
		} else {
			assert.ErrorIs(t, err, errUnchanged, c.name)
		}
	}
}

// TestBrokenFileIsReadOnce: a broken file that stays as it is is not read again. A missing file is read when it is
// back.
func TestBrokenFileIsReadOnce(t *testing.T) {
	f := fileAt(filepath.Join(t.TempDir(), "projects.yaml"))
	good := "projects: [{id: a}]\n"
	replaceFile(t, f.path, good)
	_, err := f.read(false, nil)
	require.NoError(t, err)
	replaceFile(t, f.path, "projects: [")
	_, err = f.read(false, nil)
	assert.Error(t, err, "broken")
	assert.NotErrorIs(t, err, errUnchanged, "broken")
	_, err = f.read(true, nil)
	assert.ErrorIs(t, err, errUnchanged, "still broken")
	replaceFile(t, f.path, good)
	_, err = f.read(false, nil)
	assert.NoError(t, err, "good again")
	require.NoError(t, os.Remove(f.path))
	_, err = f.read(false, nil)
	assert.ErrorIs(t, err, os.ErrNotExist, "missing")
	replaceFile(t, f.path, good)
	_, err = f.read(false, nil)
	assert.NoError(t, err, "back")
}

// TestReloadThatIsGivenUp: a reload that ends with its context changes nothing and is no fault of the file. The next
// one reads the file.
func TestReloadThatIsGivenUp(t *testing.T) {
	f := fileAt(filepath.Join(t.TempDir(), "projects.yaml"))
	replaceFile(t, f.path, "projects: [{id: a}]\n")
	old, err := f.Load()
	require.NoError(t, err)
	replaceFile(t, f.path, "projects: [{id: b}]\n")
	ended, end := context.WithCancel(t.Context())
	end()
	used := 0
	assert.False(t, f.reload(ended, true, func(*Set) { used++ }))
	assert.Zero(t, used)
	assert.False(t, f.Broken())
	assert.Same(t, old, f.last)
	assert.False(t, f.reload(t.Context(), true, func(set *Set) {
		used++
		assert.Equal(t, "b", set.Project(0).ID)
	}))
	assert.Equal(t, 1, used)
}

// TestParseIsGivenUp: a paced reading ends in the middle of the file when its context ends.
func TestParseIsGivenUp(t *testing.T) {
	for name, text := range map[string]string{
		"projects.yaml": "projects:\n- id: a\n- id: b\n", "projects.jsonl": "{\"id\":\"a\"}\n{\"id\":\"b\"}\n",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		set, err := parse(strings.NewReader(text), name, nil, newPacer(ctx, name))
		require.NoError(t, err, name)
		assert.Equal(t, 2, set.Len(), name)
		cancel()
		_, err = parse(strings.NewReader(text), name, nil, newPacer(ctx, name))
		assert.ErrorIs(t, err, context.Canceled, name)
	}
}

// TestPacer: the reading sleeps as long as it worked, after each slice.
func TestPacer(t *testing.T) {
	assert.Equal(t, maxLinesPauses, newPacer(t.Context(), "projects.jsonl").most)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		pace := newPacer(ctx, "projects.yaml")
		pauseAfter := func(work time.Duration) time.Duration {
			time.Sleep(work) // of the bubble's clock
			start := time.Now()
			require.NoError(t, pace.pause())
			return time.Since(start)
		}
		assert.Zero(t, pauseAfter(paceSlice/2))
		assert.Equal(t, paceSlice+1, pauseAfter(paceSlice/2+1), "the slice is over")
		assert.Zero(t, pauseAfter(paceSlice-1), "another slice has begun")
		assert.Equal(t, 10*paceSlice, pauseAfter(9*paceSlice+1), "an item that takes long")
		pace.credit = maxPaceCredit
		assert.Zero(t, pauseAfter(maxPaceCredit), "the last sleep was that much too long")
		assert.Equal(t, paceSlice, pauseAfter(paceSlice))
		assert.Zero(t, pace.credit)
		for pace.paused < maxPauses {
			assert.Equal(t, 100*paceSlice, pauseAfter(100*paceSlice))
		}
		assert.Zero(t, pauseAfter(100*paceSlice), "the reading has paused for long enough")
		cancel()
		assert.ErrorIs(t, pace.pause(), context.Canceled)
		assert.NoError(t, (*pacer)(nil).pause())
	})
}

// TestSet: a project is found by each of its keys, and lists of origins are kept once.
func TestSet(t *testing.T) {
	const n = 10_000
	var text strings.Builder
	for i := range n {
		keys := fmt.Sprintf(`[{"sha256":"%s"},{"sha256":"%s"}]`, hashOf(fmt.Sprint("a", i)), hashOf(fmt.Sprint("b", i)))
		fmt.Fprintf(&text, `{"id":"p%d","keys":%s,"origins":["https://o%d.example"]}`+"\n", i, keys, i%100)
	}
	set, err := Parse(strings.NewReader(text.String()), "projects.jsonl")
	require.NoError(t, err)
	assert.Equal(t, n, set.Len())
	assert.Equal(t, 2*n, set.Keys())
	assert.Equal(t, 101, set.originLists.len())
	for i := range n {
		for _, key := range []string{"a", "b"} {
			number, ok := set.Lookup(fmt.Append(nil, key, i))
			require.True(t, ok)
			require.Equal(t, i, number)
		}
		p := set.Project(i)
		require.Equal(t, fmt.Sprint("p", i), p.ID)
		require.True(t, p.Origins.Admits(fmt.Appendf(nil, "https://o%d.example", i%100)))
		require.False(t, p.Origins.Admits([]byte("https://o100.example")))
		limit, ok := set.LimitOf(p.ID)
		require.True(t, ok)
		require.Equal(t, p.Limit, limit)
	}
	for _, key := range []string{"c", "", "a"} {
		_, ok := set.Lookup([]byte(key))
		assert.False(t, ok, "%q", key)
	}
	_, ok := (&Set{}).Lookup([]byte("a0"))
	assert.False(t, ok, "an empty set")
	_, ok = set.LimitOf("p")
	assert.False(t, ok)
	assert.True(t, set.Origins().Admits([]byte("https://o99.example")))
	assert.False(t, set.Origins().Admits([]byte("https://o100.example")))
}

// BenchmarkLookup is the look-up that each request makes.
func BenchmarkLookup(b *testing.B) {
	for _, n := range []int{1, 100_000} {
		builder := newBuilder(nil)
		for i := range n {
			e := entry{id: fmt.Sprint("p", i), keys: make([]keyEntry, 1), origins: []byte(anyOrigin)}
			require.True(b, readDigest(&e.keys[0].digest, hashOf(fmt.Sprint("k", i))))
			builder.add(&e, func(_ int, err error) { b.Fatal(err) })
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			key := []byte("k0")
			for b.Loop() {
				builder.set.Lookup(key)
			}
		})
	}
}
