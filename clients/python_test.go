package clients

import (
	"context"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// virtualEnvironment installs the Python packages once for all tests.
var virtualEnvironment = sync.OnceValue(func() installed {
	version, err := exec.Command("python3", "--version").Output()
	if err != nil {
		return installed{err: err}
	}
	dir, err := install("python", "python/requirements.txt", string(version), func(ctx context.Context, dir string) error {
		lock, err := filepath.Abs("python/requirements.txt")
		if err != nil {
			return err
		}
		if err := command(ctx, dir, "python3", "-m", "venv", "venv"); err != nil {
			return err
		}
		return command(ctx, dir, "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-deps",
			"--disable-pip-version-check", "--requirement", lock)
	})
	return installed{dir, err}
})

// pythonScript runs a script with the Python of the virtual environment.
func pythonScript(name string) func(t *testing.T, url, key string) {
	return func(t *testing.T, url, key string) {
		t.Helper()
		if exec.Command(find(t, "python3"), "-c", "import venv, ensurepip").Run() != nil {
			cannot(t, "python3 cannot make virtual environments: install python3-venv")
		}
		dir := virtualEnvironment().folder(t)
		script, err := filepath.Abs(filepath.Join("python", name))
		require.NoError(t, err)
		runs(t, t.TempDir(), filepath.Join(dir, "venv", "bin", "python"), "-B", script, url, key)
	}
}
