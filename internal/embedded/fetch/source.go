package fetch

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
	"time"

	"sluice/internal/embedded/dirlock"
)

// ErrNone means that this machine cannot run ClickHouse. The text of the errors that wrap it suggests remedies.
var ErrNone = errors.New("no ClickHouse engine")

// errDigest marks a download that does not match the pinned digest.
var errDigest = errors.New("wrong checksum")

// Source is the engine's program. Exactly one of the two fields is set.
type Source struct {
	// Library is the path of the cached shared library.
	Library string
	// Server is the path of a clickhouse binary found on PATH.
	Server string
}

// Config holds the settings of [Ensure].
type Config struct {
	// CacheDir holds fetched libraries, for all programs. Empty: "sluice" in the user's cache directory.
	CacheDir string
	// Progress receives a progress bar, or a line every few seconds if it is not a terminal. Nil shows nothing.
	Progress io.Writer
	// Logger receives life-cycle lines. It must not be nil.
	Logger *slog.Logger
	// RegistryPatience is how long the npm registry may take to find the package; 0: 20 s.
	RegistryPatience time.Duration
	// CanLoad: the calling program can load a library.
	CanLoad bool
}

// Ensure returns the engine's program and fetches it if necessary: once, about 180 MB over the network and 570 MB on
// disk. Programs may call Ensure concurrently: one fetches, the others wait. Without npm, or on a platform without a
// package, it falls back to a clickhouse binary on PATH. Without that it returns an error that wraps [ErrNone].
func Ensure(ctx context.Context, cfg Config) (Source, error) {
	want, reason := hostBundle(cfg.CanLoad)
	return ensure(ctx, cfg, want, reason)
}

// ensure is Ensure for the package want. If want is empty, reason is why.
func ensure(ctx context.Context, cfg Config, want bundle, reason error) (Source, error) {
	log := cfg.Logger
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
	return Source{}, fmt.Errorf("%w: %w. Remedies: %s", ErrNone, reason, waysOn(reason))
}

// fetchOnce returns the cached library. It fetches the library if it is missing.
func fetchOnce(ctx context.Context, cfg Config, want bundle, log *slog.Logger) (string, error) {
	root, err := cacheRoot(cfg.CacheDir)
	if err != nil {
		return "", err
	}
	c := cache{root: root, want: want}
	if library, ok := c.lookup(log); ok { // needs no lock: an entry is complete
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
	lock, err := dirlock.TakeWithin(ctx, root, func(owner string) {
		log.Info("waiting for another program to fetch the engine", "pid", owner)
		_, _ = fmt.Fprintf(out, "waiting for process %s, which is fetching the ClickHouse engine\n", owner)
	})
	if err != nil {
		return "", fmt.Errorf("lock cache: %w", err)
	}
	defer lock.Release()
	if library, ok := c.lookup(log); ok { // the other program has fetched it
		return library, nil
	}
	log.Info("fetching the engine", "package", want.name, "version", want.version, "cache", root)
	library, err := c.fill(ctx,
		download{npm: npm, want: want, out: out, log: log, patience: cmp.Or(cfg.RegistryPatience, registryPatience)})
	if err != nil {
		return "", err
	}
	log.Info("engine fetched", "library", library)
	return library, nil
}

// cacheRoot returns the directory of all fetched libraries.
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
