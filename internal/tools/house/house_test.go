package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestColumns(t *testing.T) {
	assert.Equal(t, 0, columns(nil))
	assert.Equal(t, 3, columns([]byte("abc")))
	assert.Equal(t, 2, columns([]byte("äö")), "a letter is one column, however many bytes it has")
	assert.Equal(t, 4, columns([]byte("\t")))
	assert.Equal(t, 5, columns([]byte("a\tb")), "a tab goes on to the next stop")
}

func TestWideLines(t *testing.T) {
	text := strings.Repeat("a", 119) + "\n" + strings.Repeat("b", 120) + "\r\n" + strings.Repeat("c", 121) + "\n" +
		"A int `name:\"a\" help:\"" + strings.Repeat("d", 121) + "\"`\n"
	assert.Equal(t, []figure{{121, "x.go"}}, wideLines([]byte(text), "x.go"))
}

func TestLargestCycle(t *testing.T) {
	uses := func(edges ...string) map[string]map[string]bool {
		m := map[string]map[string]bool{}
		for _, e := range edges {
			from, to, _ := strings.Cut(e, ">")
			for _, v := range []string{from, to} {
				if m[v] == nil {
					m[v] = map[string]bool{}
				}
			}
			m[from][to] = true
		}
		return m
	}
	assert.Len(t, largestCycle(uses("a>b", "b>c", "a>c")), 1, "no cycle")
	assert.Equal(t, []string{"a", "b"}, largestCycle(uses("a>b", "b>a", "b>c")))
	assert.Equal(t, []string{"c", "d", "e"}, largestCycle(uses("a>b", "b>a", "b>c", "c>d", "d>e", "e>c")))
	assert.Equal(t, []string{"a", "b", "c", "d"}, largestCycle(uses("a>b", "b>c", "c>a", "c>d", "d>b")), "two cycles that share files")
}

// TestLimits looks at each figure at its limit, below it and above it.
func TestLimits(t *testing.T) {
	at := func(n int) []figure { return []figure{{n, "somewhere"}} }
	for name, c := range map[string]struct {
		limit int
		set   func(*house, int)
	}{
		"files":   {25, func(h *house, n int) { h.packageFiles = at(n) }},
		"lines":   {3000, func(h *house, n int) { h.packageLines = at(n) }},
		"cycle":   {8, func(h *house, n int) { h.cycles = at(n) }},
		"fields":  {20, func(h *house, n int) { h.structs = at(n) }},
		"readme":  {12 << 10, func(h *house, n int) { h.readme = int64(n) }},
		"columns": {1, func(h *house, n int) { h.wide = make([]figure, n) }}, // of 1,000 lines: less than 0.2 %
	} {
		t.Run(name, func(t *testing.T) {
			for n := c.limit - 1; n <= c.limit+1; n++ {
				h := house{lines: 1000}
				c.set(&h, n)
				var out strings.Builder
				assert.Equal(t, n <= c.limit, report(&out, h, false), n)
				assert.Equal(t, n > c.limit, strings.Contains(out.String(), "missed"), n)
			}
		})
	}
}

// TestMeasure measures a small module.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module m\n\ngo 1.24\n",
		// a and b use each other, b by a method; c is used only.
		"a.go":      "package m\n\ntype A struct {\n\tX, Y int\n\tc c\n}\n\nfunc (a A) Do() {\n\tuse(a)\n}\n",
		"b.go":      "package m\n\nfunc use(a A) { a.Do() }\n",
		"c.go":      "package m\n\ntype c int\n",
		"d_test.go": "package m\n\ntype d struct{ a, b, c, d int }\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	t.Chdir(dir)
	packages, err := load("./...")
	require.NoError(t, err)
	h := measure(packages, 5, dir)
	assert.Equal(t, 3, h.files, "tests do not count")
	assert.Equal(t, 16, h.lines)
	assert.Equal(t, []figure{{2, "m: a.go b.go"}}, h.cycles)
	assert.Equal(t, figure{3, "a.go: A"}, h.structs[0])
	assert.Equal(t, figure{3, "a.go: Do"}, h.funcSizes[0])
	assert.EqualValues(t, 5, h.readme)
}
