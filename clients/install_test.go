package clients

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// installTime is how long a package manager may take. Afterwards its registry counts as out of reach.
const installTime = 5 * time.Minute

// sendTime is how long a client may take to send.
const sendTime = time.Minute

// cannot skips the test, because the machine lacks what it needs. In CI this is a failure.
func cannot(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// find returns the path of a program.
func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		cannot(t, "%s is not on the path: install it to run this client", program)
	}
	return path
}

// installed is a folder with installed clients, or why there is none.
type installed struct {
	dir string
	err error
}

// install fills a folder of the user's cache, named by the contents of the lock file and by the interpreter, unless it
// is there already. The folder gets its name when it is complete, so that two runs side by side do no harm.
func install(name, lock, interpreter string, fill func(ctx context.Context, dir string) error) (string, error) {
	text, err := os.ReadFile(lock)
	if err != nil {
		return "", err
	}
	home, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(text, "%s %s %s", interpreter, runtime.GOOS, runtime.GOARCH))
	dir := filepath.Join(home, "sluice", "clients", fmt.Sprintf("%s-%x", name, sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), "incomplete-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary) //nolint:errcheck // it has another name by then, or is of no use
	ctx, cancel := context.WithTimeout(context.Background(), installTime)
	defer cancel()
	if err := fill(ctx, temporary); err != nil {
		return "", err
	}
	if err := os.Rename(temporary, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, there := os.Stat(dir); there != nil {
			return "", err
		}
	}
	return dir, nil
}

// command runs a program of a package manager.
func command(ctx context.Context, dir, program string, args ...string) error {
	if strings.Contains(program, "/") {
		program = filepath.Join(dir, program)
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(program), args[0], err, lines[len(lines)-1])
	}
	return nil
}

// folder returns where the clients are, or skips the test with the installer's error.
func (in installed) folder(t *testing.T) string {
	t.Helper()
	if in.err != nil {
		cannot(t, "the pinned clients cannot be installed: %v", in.err)
	}
	return in.dir
}

// runs runs a program that sends, and fails the test if the program does.
func runs(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sendTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	if len(out) > 0 {
		t.Logf("it said:\n%s", out)
	}
}
