package dirlock

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

// FileName is the file whose lock marks a directory as in use.
const FileName = "sluice.lock"

// poll is the time between two attempts to get a lock.
const poll = 50 * time.Millisecond

// ErrLocked is the error for a directory that another process uses.
var ErrLocked = errors.New("locked by another process")

// Lock is the lock on a directory. It belongs to this process and to every child that inherits the file. The kernel
// releases it when the last of them has ended, in whatever way.
type Lock struct{ file *os.File }

// Take creates dir and locks it. It waits up to patience for a previous owner. Its error names the owner.
func Take(ctx context.Context, dir string, patience time.Duration, log *slog.Logger) (*Lock, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrLocked)
	defer cancel()
	lock, err := TakeWithin(ctx, dir, func(owner string) {
		log.Info("waiting for the previous process to leave the data directory", "dir", dir, "pid", owner)
	})
	if errors.Is(err, ErrLocked) {
		return nil, fmt.Errorf("data directory %s is in use by process %s: stop it or choose another directory", dir,
			ownerOf(dir))
	}
	return lock, err
}

// TakeWithin creates dir and locks it. It waits until ctx ends, and then returns the cause of ctx. It calls wait with
// the process id of the owner, once, if it has to wait.
func TakeWithin(ctx context.Context, dir string, wait func(owner string)) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("create directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, FileName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := waitLock(ctx, file, func() { wait(ownerOf(dir)) }); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	// The process id shows people which process uses the directory. The lock does not depend on it.
	if err := errors.Join(file.Truncate(0), writePID(file)); err != nil {
		return nil, errors.Join(fmt.Errorf("write lock: %w", err), file.Close())
	}
	return &Lock{file: file}, nil
}

func waitLock(ctx context.Context, file *os.File, wait func()) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for told := false; ; told = true {
		err := tryLock(file)
		if !errors.Is(err, ErrLocked) {
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
	pid, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil || len(pid) == 0 {
		return "unknown"
	}
	return strings.TrimSpace(string(pid))
}

// File is the locked file. A child that inherits it shares the lock.
func (l *Lock) File() *os.File { return l.file }

// Release releases the lock, unless a child that inherited the file is alive.
func (l *Lock) Release() { _ = l.file.Close() }

// WaitReleased waits up to patience until no process uses dir. It does not create a missing directory, and returns
// nil at once. Its error names the process that uses dir.
func WaitReleased(ctx context.Context, dir string, patience time.Duration, log *slog.Logger) error {
	if _, err := os.Stat(filepath.Join(dir, FileName)); err != nil {
		return nil
	}
	lock, err := Take(ctx, dir, patience, log)
	if err != nil {
		return err
	}
	lock.Release()
	return nil
}

// CheckOwn returns an error if dir has content but was never locked by this package, for instance a server's data. It
// creates nothing.
func CheckOwn(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	case len(entries) == 0 || slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == FileName }):
		return nil
	}
	return fmt.Errorf("data directory %s contains files of another program: choose another directory", dir)
}
