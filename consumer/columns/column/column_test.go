package column

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNames(t *testing.T) {
	for _, good := range []string{"plan", "Plan", "p", "http_2", "order", "from", strings.Repeat("a", MaxName-1), strings.Repeat("a", MaxName)} {
		require.NoError(t, CheckName(good))
		require.False(t, Reserved(good))
	}
	for bad, why := range map[string]string{
		"": "empty", strings.Repeat("a", MaxName+1): "65 characters", "_plan": "begins with a letter", "1st": "begins with a letter",
		"a b": "letters, digits", "a-b": "letters, digits", "a`b": "letters, digits", "plän": "letters, digits", "a\n": "letters, digits",
		"sluice_plan": "sluice_", "SLUICE_x": "sluice_", "level": "kept for", "Message": "kept for", "minute": "kept for",
	} {
		require.ErrorContains(t, CheckName(bad), why, "%q", bad)
		require.True(t, Reserved(bad))
	}
}

func TestPaths(t *testing.T) {
	key := func(keys ...string) (p Path) {
		for _, k := range keys {
			p = append(p, Step{Key: k})
		}
		return p
	}
	at := func(n int) Step { return Step{Index: n, InArray: true} }
	for text, want := range map[string]struct {
		path Path
		as   string // as String writes it; empty: as it is
	}{
		"plan":                  {path: key("plan")},
		"contexts.account.plan": {path: key("contexts", "account", "plan")},
		`a."b.c".d`:             {path: key("a", "b.c", "d")},
		`"a"."b"`:               {key("a", "b"), "a.b"},
		`""`:                    {path: key("")},
		`"$"`:                   {path: key("$")},
		`$$.a`:                  {path: key("$$", "a")},
		`a."\u0041\n\"\\'"`:     {key("a", "A\n\"\\'"), `a."A\n\"\\'"`},
		`"<b>&"`:                {path: key("<b>&")},
		"größe.日本.😀":            {key("größe", "日本", "😀"), `größe.日本."😀"`},
		"items[0].name":         {path: Path{{Key: "items"}, at(0), {Key: "name"}}},
		"a[0][9999]":            {path: Path{{Key: "a"}, at(0), at(MaxIndex)}},
		"user-id.@type.a/b.c:d": {path: key("user-id", "@type", "a/b", "c:d")},
		"0.1":                   {path: key("0", "1")},
	} {
		got, err := ParsePath(text)
		require.NoError(t, err, text)
		require.Equal(t, want.path, got, text)
		if want.as == "" {
			want.as = text
		}
		require.Equal(t, want.as, got.String())
		again, err := ParsePath(got.String())
		require.NoError(t, err, got)
		require.Equal(t, got, again)
	}
	for text, why := range map[string]string{
		"": "empty", ".": "key is missing", "a.": "key is missing", ".a": "key is missing", "a..b": "byte 2", "a b": "a dot",
		"[0]": "begin with a key", "a[": "number in brackets", "a[x]": "number in brackets", "a[-1]": "number in brackets", "a[10000]": "at most 9999",
		"a[99999999999999999999]": "number in brackets", "a]": "a dot", `a"b"`: "a dot", `"a`: "JSON string", `"a"b`: "a dot", `"\x"`: "JSON string",
		`a\b`: "a dot", "a'b": "a dot", "$.a": "leave out the $", "$": "leave out the $", "$[0]": "leave out the $", "a\x00": "a dot", "a\xff": "UTF-8",
	} {
		_, err := ParsePath(text)
		require.ErrorContains(t, err, why, "%q", text)
		require.NotContains(t, err.Error(), "\n")
	}
}

func TestPathLimits(t *testing.T) {
	for n, ok := range map[int]bool{MaxPath - 1: true, MaxPath: true, MaxPath + 1: false} {
		_, err := ParsePath(strings.Repeat("a", n))
		assert.Equal(t, ok, err == nil, "%d bytes: %v", n, err)
	}
	for n, ok := range map[int]bool{MaxDepth - 1: true, MaxDepth: true, MaxDepth + 1: false} {
		_, err := ParsePath(strings.TrimSuffix(strings.Repeat("a.", n), "."))
		assert.Equal(t, ok, err == nil, "%d steps: %v", n, err)
	}
	// Quotes make the longest path longer in the comment, which is read all the same.
	long, err := ParsePath(strings.TrimSuffix(strings.Repeat("#.", MaxDepth), "."))
	require.NoError(t, err)
	read, err := PathOf(Column{Path: long}.Comment())
	require.NoError(t, err)
	require.Equal(t, long, read)
}

func TestTypes(t *testing.T) {
	for text, want := range map[string]string{
		"String": "String", "string": "String", "lowcardinality( string )": "LowCardinality(String)", "UINT64": "UInt64",
		"DateTime64": "DateTime64(3, 'UTC')", "DateTime64(3)": "DateTime64(3, 'UTC')", "DateTime64(3,'UTC')": "DateTime64(3, 'UTC')",
		"Nullable(DateTime64)": "Nullable(DateTime64(3, 'UTC'))", "Nullable( Int64 )": "Nullable(Int64)",
	} {
		got, err := ParseType(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got.String())
	}
	for _, bad := range []string{"", "Int32", "Nullable(Array(String))", "DateTime64(6)", "DateTime", "String'", "JSON", "Int64) MATERIALIZED 1 --"} {
		_, err := ParseType(bad)
		require.ErrorContains(t, err, "is one of String, LowCardinality(String), Int64", bad)
	}
}

func TestComment(t *testing.T) {
	c, err := New("plan", "String", `contexts."it's, (odd)"[2]`)
	require.NoError(t, err)
	require.True(t, IsCustom(c.Comment()))
	path, err := PathOf(c.Comment())
	require.NoError(t, err)
	require.Equal(t, c.Path, path)
	for _, other := range []string{"", "custom column: ", " of the payload", "the payload", "custom column:  of the payload", "custom column: a..b of the payload"} {
		_, err := PathOf(other)
		require.Error(t, err, other)
	}
	for _, bad := range [][3]string{{"level", "String", "a"}, {"a", "Foo", "a"}, {"a", "String", ""}} {
		_, err := New(bad[0], bad[1], bad[2])
		require.Error(t, err, bad)
	}
}

// No text makes a path whose written form is another path.
func FuzzParsePath(f *testing.F) {
	for _, seed := range []string{"a.b", `a."b.c"[0]`, `"\ud800"`, "$.a", "a..b", "😀"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path, err := ParsePath(text)
		if err != nil {
			return
		}
		again, err := parse(path.String())
		require.NoError(t, err)
		require.Equal(t, path, again)
		require.NotContains(t, strings.NewReplacer(`\\`, "", `\'`, "").Replace(path.arguments()), `\`)
	})
}
