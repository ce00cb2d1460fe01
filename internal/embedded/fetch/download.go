package fetch

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

// watchInterval is the time between two measurements of a growing download. npm itself reports no progress.
const watchInterval = 200 * time.Millisecond

// download fetches one package with the npm client, from the registry in the user's npm settings.
type download struct {
	npm  string
	want bundle
	out  io.Writer
	log  *slog.Logger
	// patience is how long the registry may take to answer.
	patience time.Duration
}

// pack runs "npm pack" in dir, which it creates, and returns the verified tarball and its digest.
func (d download) pack(ctx context.Context, dir string) (tarball, digest string, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", "", fmt.Errorf("create a directory for the download: %w", err)
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
		d.log.Warn("the engine's digest is not pinned for this platform, only npm has checked it",
			"package", d.want.name, "digest", digest)
	default:
		return "", "", fmt.Errorf("%w: %s@%s is %s, expected %s", errDigest, d.want.name, d.want.version, digest,
			d.want.integrity)
	}
	return found[0], digest, nil
}

// run waits for npm and shows the progress of the download.
func (d download) run(ctx context.Context, dir string) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd := exec.CommandContext(ctx, d.npm, "pack", d.want.name+"@"+d.want.version, "--loglevel=error",
		"--fetch-retries=1")
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	// A script in place of npm may leave children that keep its output open.
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
			// A download that never showed any bytes may be in another place. npm decides about its end.
			if size > before && time.Since(grew) > stallPatience {
				stop(fmt.Errorf("%w any more: no bytes for %s", errRegistry, stallPatience))
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

// npmTemp returns the directory of npm's incomplete downloads, or "" if npm does not name it.
func (d download) npmTemp(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, d.npm, "config", "get", "cache", "--loglevel=error").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "_cacache", "tmp")
}

// sizeOf sums the sizes of the files directly in dirs. Files may come and go: the result only feeds a progress bar.
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

// lastLines joins the last lines of npm's output into one line.
func lastLines(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines[max(0, len(lines)-8):], " | ")
}
