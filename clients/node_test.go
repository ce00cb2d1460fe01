package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// nodeModules installs the npm packages once for all tests.
var nodeModules = sync.OnceValue(func() installed {
	version, err := exec.Command("node", "--version").Output()
	if err != nil {
		return installed{err: err}
	}
	dir, err := install("node", "node/package-lock.json", string(version), func(ctx context.Context, dir string) error {
		if err := os.CopyFS(dir, os.DirFS("node")); err != nil {
			return err
		}
		return command(ctx, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	})
	return installed{dir, err}
})

// nodeFolder is a folder with the scripts beside the installed packages, where Node looks for them.
func nodeFolder(t *testing.T) string {
	t.Helper()
	find(t, "npm")
	find(t, "node")
	modules := filepath.Join(nodeModules().folder(t), "node_modules")
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("node")))
	require.NoError(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	return dir
}

// nodeScript runs a script with Node.
func nodeScript(name string, more ...string) func(t *testing.T, url, key string) {
	return func(t *testing.T, url, key string) {
		t.Helper()
		runs(t, nodeFolder(t), "node", append([]string{name, url, key}, more...)...)
	}
}
