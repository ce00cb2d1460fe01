package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Two archives of equal files are equal, whenever the files were written and whatever their modes are.
func TestPackIsReproducible(t *testing.T) {
	when := time.Unix(1_790_000_000, 0).UTC()
	packed := func(mode os.FileMode, written time.Time) []byte {
		dir := t.TempDir()
		program := filepath.Join(dir, "program")
		require.NoError(t, os.WriteFile(program, []byte("a program"), mode))
		require.NoError(t, os.Chtimes(program, written, written))
		var out bytes.Buffer
		require.NoError(t, pack(&out, []entry{{"v1/program", program, 0o755}, {"v1/README.md", program, 0o644}}, when))
		return out.Bytes()
	}
	first := packed(0o600, time.Now())
	require.Equal(t, first, packed(0o755, time.Now().Add(-time.Hour)))

	zip, err := gzip.NewReader(bytes.NewReader(first))
	require.NoError(t, err)
	require.True(t, zip.ModTime.IsZero())
	archive := tar.NewReader(zip)
	for _, want := range []string{"v1/program", "v1/README.md"} {
		header, err := archive.Next()
		require.NoError(t, err)
		require.Equal(t, want, header.Name)
		require.Equal(t, when, header.ModTime.UTC())
		require.Zero(t, header.Uid+header.Gid)
		require.Empty(t, header.Uname+header.Gname)
	}
	_, err = archive.Next()
	require.ErrorIs(t, err, io.EOF)
}

func TestSums(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b"), []byte("b\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("a\n"), 0o600))
	for range 2 { // the file of sums is not in itself
		require.NoError(t, sums(dir))
	}
	text, err := os.ReadFile(filepath.Join(dir, sumsFile))
	require.NoError(t, err)
	require.Equal(t, "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7  a\n"+
		"0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f  b\n", string(text))
}

// The check for static programs tells: a test's binary, which links with the race detector's C code or not, is read.
func TestCheckStatic(t *testing.T) {
	require.Error(t, checkStatic("archive.go"), "no program")
	if runtime.GOOS == "linux" {
		require.ErrorContains(t, checkStatic("/bin/sh"), "not static")
	}
}

// A bill loses the digests of its tool, and nothing else.
func TestBillHasNoToolDigests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bill")
	require.NoError(t, os.WriteFile(path, []byte(`{"version":1,"metadata":{"tools":[{"name":"a","hashes":[{"alg":"MD5"}]}]},"components":[{"hashes":[]}]}`), 0o600))
	require.NoError(t, withoutToolDigests(path))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.JSONEq(t, `{"version":1,"metadata":{"tools":[{"name":"a"}]},"components":[{"hashes":[]}]}`, string(text))
	require.NoError(t, os.WriteFile(path, []byte(`{}`), 0o600))
	require.Error(t, withoutToolDigests(path))
}
