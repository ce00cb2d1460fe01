package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the project's directory.
var root = filepath.Join("..", "..")

// The files in the tree are those that the code makes: `make observe` writes them.
func TestFilesAreGenerated(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join(root, rulesFile))
	require.NoError(t, err)
	files, err := generate(rules, runbookInTree)
	require.NoError(t, err)
	require.Len(t, files, 1+len(dashboards()))
	for name, want := range files {
		places := []string{filepath.Join(root, forChart, filepath.FromSlash(name))}
		if name != "rules.yaml" {
			places = append(places, filepath.Join(root, forGrafana, filepath.Base(name)))
		}
		for _, place := range places {
			got, err := os.ReadFile(place)
			require.NoError(t, err, "run make observe")
			require.Equal(t, string(want), string(got), "%s: run make observe", place)
		}
	}
	for _, dir := range []string{forGrafana, filepath.Join(forChart, "dashboards")} {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		require.NoError(t, err)
		require.Len(t, entries, len(dashboards()), "%s has a file that no code makes", dir)
	}
}

// -runbook changes every link, and only links.
func TestRunbookElsewhere(t *testing.T) {
	const elsewhere = "https://wiki.example.com/sluice"
	out := t.TempDir()
	require.NoError(t, run(out, elsewhere))
	n := 0
	require.NoError(t, filepath.WalkDir(out, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		n++
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NotContains(t, string(text), runbookInTree+"#", path)
		require.Contains(t, string(text), elsewhere+"#", path)
		return nil
	}))
	require.Equal(t, 1+len(dashboards()), n)
	require.ErrorContains(t, run("", elsewhere), "-out")
}
