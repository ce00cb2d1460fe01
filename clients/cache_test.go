package clients

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A folder of the cache is filled once for each lock file, and a folder that was not filled to the end is not used.
func TestInstall(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", home)
	t.Setenv("HOME", home)
	lock := filepath.Join(home, "lock")
	require.NoError(t, os.WriteFile(lock, []byte("a==1"), 0o600))
	filled := 0
	fill := func(err error) func(context.Context, string) error {
		return func(_ context.Context, dir string) error {
			filled++
			require.NoError(t, os.WriteFile(filepath.Join(dir, "package"), nil, 0o600))
			return err
		}
	}

	broken := errors.New("no registry")
	_, err := install("x", lock, "v1", fill(broken))
	require.ErrorIs(t, err, broken)
	first, err := install("x", lock, "v1", fill(nil))
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(first, "package"))
	again, err := install("x", lock, "v1", fill(nil))
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, 2, filled)

	other, err := install("x", lock, "v2", fill(nil))
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	require.NoError(t, os.WriteFile(lock, []byte("a==2"), 0o600))
	newer, err := install("x", lock, "v1", fill(nil))
	require.NoError(t, err)
	require.NotContains(t, []string{first, other}, newer)
	entries, err := os.ReadDir(filepath.Dir(first))
	require.NoError(t, err)
	require.Len(t, entries, 3, "an incomplete folder is left")
}
