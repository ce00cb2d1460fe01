package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// lockName is the file in a data or cache directory that is locked while the directory is in use.
	lockName = "sluice.lock"
	// lockPatience is how long a start waits for the previous owner of a data directory: it may still be shutting down.
	lockPatience = stopGrace + 5*time.Second
	// lockPoll is how often a taken lock is tried again.
	lockPoll = 50 * time.Millisecond
)

// errLocked is what tryLock returns while another process has the lock.
var errLocked = errors.New("locked by another process")

// dirLock is a directory held by this process, and by every child that inherits the file: the kernel gives the lock up when
// the last of them has gone, however it went.
type dirLock struct{ file *os.File }

// lockDir makes dir and takes it, waiting up to patience for a previous owner to go. The error names the owner.
func lockDir(ctx context.Context, dir string, patience time.Duration, log *slog.Logger) (*dirLock, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLocked)
	defer cancel()
	lock, err := lockWithin(ctx, dir, func(owner string) {
		log.Info("waiting for the previous process to leave the data directory", "dir", dir, "pid", owner)
	})
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("data directory %s is in use by process %s: stop it or choose another directory", dir, ownerOf(dir))
	}
	return lock, err
}

// lockWithin makes dir and takes it, waiting until ctx ends; wait is called once if it has to wait at all.
func lockWithin(ctx context.Context, dir string, wait func(owner string)) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := waitLock(ctx, file, func() { wait(ownerOf(dir)) }); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	// The process id is for people who wonder who has the directory; the lock itself does not rest on it.
	if err := errors.Join(file.Truncate(0), writePID(file)); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock: %w", err), file.Close())
	}
	return &dirLock{file: file}, nil
}

func waitLock(ctx context.Context, file *os.File, wait func()) error {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for told := false; ; told = true {
		err := tryLock(file)
		if !errors.Is(err, errLocked) {
			return err
		}
		if !told {
			wait()
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func writePID(file *os.File) error {
	_, err := file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func ownerOf(dir string) string {
	pid, err := os.ReadFile(filepath.Join(dir, lockName)) //nolint:gosec // the caller's own directory
	if err != nil || len(pid) == 0 {
		return "unknown"
	}
	return strings.TrimSpace(string(pid))
}

// release gives the directory up, unless a child that inherited it still lives.
func (l *dirLock) release() { _ = l.file.Close() }

// WaitReleased waits until no process uses a data directory of a broker or an engine: a previous one may still be shutting down. The
// error names the process. A directory that is not there is used by nobody, and is not made.
func WaitReleased(ctx context.Context, dir string, log *slog.Logger) error {
	if _, err := os.Stat(filepath.Join(dir, lockName)); err != nil {
		return nil //nolint:nilerr // nobody has used it yet
	}
	lock, err := lockDir(ctx, dir, lockPatience, log)
	if err != nil {
		return err
	}
	lock.release()
	return nil
}

// CheckOwn refuses a directory that holds something and was never a broker's or an engine's of this package, such as the data of a
// server. It makes nothing.
func CheckOwn(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	case len(entries) == 0 || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == lockName }):
		return nil
	}
	return fmt.Errorf("data directory %s is not empty and holds something else: choose another directory", dir)
}
