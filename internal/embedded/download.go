package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// watchInterval is how often the growing download is measured: npm itself reports nothing.
const watchInterval = 200 * time.Millisecond

// download fetches one package with the npm client. The user's npm settings decide from where.
type download struct {
	npm  string
	want bundle
	out  io.Writer
	log  *slog.Logger
	// patience is how long the registry may take to answer at all.
	patience time.Duration
}

// pack runs "npm pack" in dir, which it makes, and returns the verified tarball and its digest.
func (d download) pack(ctx context.Context, dir string) (tarball, digest string, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", "", fmt.Errorf("make a directory to fetch into: %w", err)
	}
	if err := d.reach(ctx); err != nil {
		return "", "", err
	}
	if err := d.run(ctx, dir); err != nil {
		return "", "", err
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", "", fmt.Errorf("npm pack left %d archives instead of one", len(found))
	}
	digest, err = digestOf(found[0])
	if err != nil {
		return "", "", err
	}
	switch d.want.integrity {
	case digest:
	case "":
		d.log.Warn("the engine's digest is not pinned for this platform, npm alone vouches for it", "package", d.want.name, "digest", digest)
	default:
		return "", "", fmt.Errorf("%w: %s@%s is %s, expected %s", errDigest, d.want.name, d.want.version, digest, d.want.integrity)
	}
	return found[0], digest, nil
}

// run waits for npm and shows meanwhile how much has come.
func (d download) run(ctx context.Context, dir string) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd := exec.CommandContext(ctx, d.npm, "pack", d.want.name+"@"+d.want.version, "--loglevel=error", "--fetch-retries=1") //nolint:gosec // from PATH
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	// A script that stands in for npm may leave children behind that hold its output open.
	cmd.WaitDelay = 2 * time.Second
	places := []string{dir, d.npmTemp(ctx)}
	before := sizeOf(places)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run npm: %w", err)
	}
	bar := newProgress(d.out, "fetching the ClickHouse engine", d.want.packed)
	defer bar.finish()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	size, grew := before, time.Now()
	for {
		select {
		case err := <-done:
			return d.explain(ctx, err, said.String())
		case <-tick.C:
			now := sizeOf(places)
			bar.set(now - before)
			if now != size {
				size, grew = now, time.Now()
			}
			// A download of which nothing was ever seen is npm's to judge: it may lie elsewhere.
			if size > before && time.Since(grew) > stallPatience {
				stop(fmt.Errorf("%w any more: nothing came for %s", errRegistry, stallPatience))
			}
		}
	}
}

func (d download) explain(ctx context.Context, err error, said string) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case unreachableRegistry(said) != nil:
		return unreachableRegistry(said)
	default:
		return fmt.Errorf("npm pack %s@%s: %w: %s", d.want.name, d.want.version, err, lastLines(said))
	}
}

// npmTemp is where npm keeps a download that is not complete; empty if it does not say.
func (d download) npmTemp(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, d.npm, "config", "get", "cache", "--loglevel=error").Output() //nolint:gosec // from PATH
	dir := strings.TrimSpace(string(out))
	if err != nil || !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "_cacache", "tmp")
}

// sizeOf adds up the files directly in some directories. Files that come and go meanwhile do not matter: it feeds a bar.
func sizeOf(dirs []string) (total int64) {
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				total += info.Size()
			}
		}
	}
	return total
}
