package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// texts are the project's Markdown files, by path from the project's directory.
func texts(t *testing.T) map[string]string {
	t.Helper()
	root, err := Root()
	require.NoError(t, err)
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules"):
			return filepath.SkipDir
		case filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		all[filepath.ToSlash(name)] = string(text)
		return err
	}))
	require.Contains(t, all, "README.md")
	require.Contains(t, all, "docs/settings.md")
	return all
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	notSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors are a text's headings as GitHub links to them.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		out[strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return out
}

// Every relative link leads to a file or directory, and to a heading where it names one.
func TestLinksResolve(t *testing.T) {
	root, err := Root()
	require.NoError(t, err)
	all := texts(t)
	n := 0
	for name, text := range all {
		for _, l := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if strings.Contains(l[1], "://") {
				continue
			}
			n++
			path, anchor, _ := strings.Cut(l[1], "#")
			target := name
			if path != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(name), path))
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: link to %s, which is not there", name, l[1])
			}
			if anchor != "" && !anchors(all[target])[anchor] {
				t.Errorf("%s: link to %s, which has no such heading", name, l[1])
			}
		}
	}
	require.Greater(t, n, 20)
}

var (
	codeFlag   = regexp.MustCompile("(?:^|[\\s`('\"])--([a-z][a-z0-9-]+)")
	metricName = regexp.MustCompile(`\bsluice_(?:gateway|consumer|log|build)_[a-z_]+`)
)

// Flags of other programs that the documents name.
var foreignFlags = map[string]bool{"build": true, "scale": true, "data-binary": true, "help": true, "version": true,
	"from-literal": true, "set": true, "set-file": true, "no-recreate": true, "fail-with-body": true, "replicas": true,
	"rm": true, "restart": true, "image": true, "example": true, "retry": true, "profile": true, "reuse-values": true,
	"param": true, "database": true, "now": true}

// A flag or a metric that a document names is one that a program has.
func TestNamesExist(t *testing.T) {
	all := texts(t)
	metrics := map[string]bool{}
	for _, name := range metricName.FindAllString(all["docs/metrics.md"], -1) {
		metrics[name] = true
	}
	require.Greater(t, len(metrics), 30)
	for name, text := range all {
		for _, found := range codeFlag.FindAllStringSubmatch(text, -1) {
			if !settings.Known(found[1]) && !foreignFlags[found[1]] {
				t.Errorf("%s: no program has a flag --%s", name, found[1])
			}
		}
		for _, found := range metricName.FindAllString(text, -1) {
			whole := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(found, "_bucket"), "_sum"), "_count")
			if !metrics[whole] && !strings.HasSuffix(found, "_") {
				t.Errorf("%s: no program has a metric %s", name, found)
			}
		}
	}
}

var treePath = regexp.MustCompile("`((?:cmd|consumer|deploy|docs|gateway|internal)/[a-zA-Z0-9_./-]*)`")

// A file or directory that a document names is in the tree.
func TestPathsExist(t *testing.T) {
	root, err := Root()
	require.NoError(t, err)
	n := 0
	for name, text := range texts(t) {
		for _, path := range treePath.FindAllStringSubmatch(text, -1) {
			n++
			if _, err := os.Stat(filepath.Join(root, path[1])); err != nil {
				t.Errorf("%s: %s is not there", name, path[1])
			}
		}
	}
	require.Greater(t, n, 20)
}

// The README is for a first visit: what is longer belongs in docs/.
func TestREADMEIsShort(t *testing.T) {
	require.LessOrEqual(t, len(texts(t)["README.md"]), 12<<10)
}
