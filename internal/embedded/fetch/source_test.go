//go:build linux || darwin

package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"sluice/internal/embedded/dirlock"
)

const libraryText = "the library"

// pretendNPM puts an npm on PATH that delivers a small package and counts the requests.
func pretendNPM(t *testing.T) (want bundle, asked func() int) {
	t.Helper()
	dir := t.TempDir()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for name, text := range map[string]string{"package/index.js": "x", "package/libchdb.so": libraryText} {
		require.NoError(t, archive.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o755, Typeflag: tar.TypeReg}))
		_, err := archive.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, zipped.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.tgz"), packed.Bytes(), 0o600))
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = pack ] || exit 1\necho \"$2\" >> '%s/asked'\ncp '%s/package.tgz' lib.tgz\n", dir, dir)
	npm := filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(npm, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(npm, "npm"), []byte(script), 0o700))
	t.Setenv("PATH", npm+":/usr/bin:/bin")
	sum := sha512.Sum512(packed.Bytes())
	want = bundle{name: "@x/lib", version: "1.2.3", library: "libchdb.so", integrity: integrity(sum[:]), packed: int64(packed.Len())}
	return want, func() int {
		text, _ := os.ReadFile(filepath.Join(dir, "asked"))
		return strings.Count(string(text), "@x/lib@1.2.3\n")
	}
}

// briefly returns a context for a call that should fail. If it does not fail, the test fails instead of hanging.
func briefly(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// testLog returns a logger that writes to the test's output.
func testLog(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func libraryIn(t *testing.T, source Source) string {
	t.Helper()
	text, err := os.ReadFile(source.Library)
	require.NoError(t, err)
	return string(text)
}

func TestEnsureFetchesOnceForAll(t *testing.T) {
	want, asked := pretendNPM(t)
	cfg := Config{CacheDir: t.TempDir(), Logger: testLog(t)}
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			_, err := ensure(context.Background(), cfg, want, nil)
			return err
		})
	}
	require.NoError(t, all.Wait())
	require.Equal(t, 1, asked())

	t.Setenv("PATH", "") // from now on without npm
	source, err := ensure(t.Context(), cfg, want, nil)
	require.NoError(t, err)
	require.Equal(t, libraryText, libraryIn(t, source))
	left, err := filepath.Glob(filepath.Join(cfg.CacheDir, partial+"*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestEnsureSaysThatItWaits(t *testing.T) {
	want, asked := pretendNPM(t)
	root := t.TempDir()
	lock, err := dirlock.Take(t.Context(), root, time.Second, testLog(t))
	require.NoError(t, err)
	said := &signalled{text: make(chan string, 8)}
	var waiting errgroup.Group
	waiting.Go(func() error {
		_, err := ensure(context.Background(), Config{CacheDir: root, Logger: testLog(t), Progress: said}, want, nil)
		return err
	})
	require.Contains(t, <-said.text, fmt.Sprintf("waiting for process %d, which is fetching", os.Getpid()))
	require.Zero(t, asked())
	lock.Release()
	require.NoError(t, waiting.Wait())
	require.Equal(t, 1, asked())
	require.Contains(t, <-said.text, "asking the npm registry")
	require.Contains(t, <-said.text, "fetching the ClickHouse engine")
	require.Contains(t, <-said.text, "unpacking the ClickHouse engine")
}

// signalled is a writer whose reader receives each write.
type signalled struct{ text chan string }

func (s *signalled) Write(p []byte) (int, error) {
	s.text <- string(p)
	return len(p), nil
}

func TestEnsureRefusesWrongChecksum(t *testing.T) {
	want, _ := pretendNPM(t)
	want.integrity = integrity(make([]byte, sha512.Size))
	cfg := Config{CacheDir: t.TempDir(), Logger: testLog(t)}
	_, err := ensure(t.Context(), cfg, want, nil)
	require.ErrorIs(t, err, errDigest)
	left, err := os.ReadDir(cfg.CacheDir)
	require.NoError(t, err)
	require.Len(t, left, 1) // the lock
	require.Equal(t, dirlock.FileName, left[0].Name())
}

func TestEnsureFetchesAgainWhatWasDamaged(t *testing.T) {
	want, asked := pretendNPM(t)
	cfg := Config{CacheDir: t.TempDir(), Logger: testLog(t)}
	source, err := ensure(t.Context(), cfg, want, nil)
	require.NoError(t, err)
	for name, damage := range map[string]func() error{
		"shorter":      func() error { return os.Truncate(source.Library, 3) },
		"other bytes":  func() error { return os.WriteFile(source.Library, []byte(strings.ToUpper(libraryText)), 0o600) },
		"no marker":    func() error { return os.Remove(filepath.Join(filepath.Dir(source.Library), markerName)) },
		"bad marker":   func() error { return os.WriteFile(filepath.Join(filepath.Dir(source.Library), markerName), nil, 0o600) },
		"library gone": func() error { return os.Remove(source.Library) },
		"half a fetch": func() error {
			return os.Rename(filepath.Dir(source.Library), filepath.Join(cfg.CacheDir, partial+"1"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := asked()
			require.NoError(t, damage())
			again, err := ensure(t.Context(), cfg, want, nil)
			require.NoError(t, err)
			require.Equal(t, source, again)
			require.Equal(t, libraryText, libraryIn(t, again))
			require.Equal(t, before+1, asked())
		})
	}
	t.Run("touched only", func(t *testing.T) {
		before := asked()
		require.NoError(t, os.Chtimes(source.Library, time.Time{}, time.Unix(1, 0)))
		_, err := ensure(t.Context(), cfg, want, nil)
		require.NoError(t, err)
		require.Equal(t, before, asked())
	})
}

func TestEnsureWithoutAPin(t *testing.T) {
	want, _ := pretendNPM(t)
	want.integrity = ""
	cfg := Config{CacheDir: t.TempDir(), Logger: testLog(t)}
	source, err := ensure(t.Context(), cfg, want, nil)
	require.NoError(t, err)
	require.Equal(t, libraryText, libraryIn(t, source))
}

func TestEnsureNamesTheWaysOn(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for name, tc := range map[string]struct {
		reason  error
		install bool
	}{
		"npm is not installed":                 {nil, true},
		"no engine is packaged for plan9/mips": {fmt.Errorf("no engine is packaged for plan9/mips"), false},
	} {
		_, err := ensure(t.Context(), Config{CacheDir: t.TempDir(), Logger: testLog(t)}, bundle{name: "x", library: "y"}, tc.reason)
		require.ErrorIs(t, err, ErrNone)
		require.ErrorContains(t, err, name)
		require.Equal(t, tc.install, strings.Contains(err.Error(), "install npm"))
		for _, way := range []string{"clickhouse binary on PATH", "--clickhouse DSN"} {
			require.ErrorContains(t, err, way)
		}
	}
}

// A registry that does not answer gives an error within its time limit, and not the error for a missing npm.
func TestEnsureTellsThatTheRegistryIsAway(t *testing.T) {
	want, _ := pretendNPM(t)
	for name, tc := range map[string]struct {
		script string
		want   string
	}{
		"silent":            {"[ $1 = view ] && exec sleep 60", "no answer within 300ms"},
		"no such host":      {"echo npm error code ENOTFOUND >&2; exit 1", "ENOTFOUND"},
		"refused":           {"echo 'npm ERR! code ECONNREFUSED' >&2; exit 1", "ECONNREFUSED"},
		"away for the pack": {"[ $1 = view ] && exit 0; echo npm error code ETIMEDOUT >&2; exit 1", "ETIMEDOUT"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "npm"), []byte("#!/bin/sh\n"+tc.script+"\n"), 0o700))
			t.Setenv("PATH", dir+":/usr/bin:/bin")
			_, err := ensure(briefly(t), Config{CacheDir: t.TempDir(), Logger: testLog(t), RegistryPatience: 300 * time.Millisecond}, want, nil)
			require.ErrorIs(t, err, ErrNone)
			require.ErrorContains(t, err, "cannot reach the npm registry: "+tc.want)
			require.ErrorContains(t, err, "check the network, and npm's settings registry, proxy and https-proxy")
			require.ErrorContains(t, err, "clickhouse binary on PATH")
			require.NotContains(t, err.Error(), "install npm")
		})
	}
}

// The download reports any other error of the registry.
func TestEnsureLeavesOtherErrorsToTheDownload(t *testing.T) {
	want, asked := pretendNPM(t) // its "npm view" fails
	_, err := ensure(t.Context(), Config{CacheDir: t.TempDir(), Logger: testLog(t)}, want, nil)
	require.NoError(t, err)
	require.Equal(t, 1, asked())
}

func TestEnsureTellsWhatNPMSaid(t *testing.T) {
	want, _ := pretendNPM(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "npm"), []byte("#!/bin/sh\necho E404 no such package >&2\nexit 1\n"), 0o700))
	t.Setenv("PATH", dir+":/bin")
	_, err := ensure(t.Context(), Config{CacheDir: t.TempDir(), Logger: testLog(t)}, want, nil)
	require.ErrorIs(t, err, ErrNone)
	require.ErrorContains(t, err, "E404 no such package")
}

func TestEnsureStopsWithItsContext(t *testing.T) {
	want, _ := pretendNPM(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "npm"), []byte("#!/bin/sh\n[ $1 = pack ] && exec sleep 60\n"), 0o700))
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	ctx, cancel := context.WithCancel(t.Context())
	said := &signalled{text: make(chan string, 8)}
	var fetching errgroup.Group
	cfg := Config{CacheDir: t.TempDir(), Logger: testLog(t), Progress: said}
	fetching.Go(func() error {
		_, err := ensure(ctx, cfg, want, nil)
		return err
	})
	<-said.text // about the registry's answer
	<-said.text // about the download
	cancel()
	require.ErrorIs(t, fetching.Wait(), context.Canceled)
	left, err := filepath.Glob(filepath.Join(cfg.CacheDir, partial+"*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// A program that cannot load a library needs a clickhouse binary on PATH.
func TestEnsureWithoutALoader(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	_, err := Ensure(t.Context(), Config{CacheDir: t.TempDir(), Logger: testLog(t)})
	require.ErrorIs(t, err, ErrNone)
	server := filepath.Join(dir, "clickhouse")
	require.NoError(t, os.WriteFile(server, nil, 0o700))
	source, err := Ensure(t.Context(), Config{CacheDir: t.TempDir(), Logger: testLog(t)})
	require.NoError(t, err)
	require.Equal(t, Source{Server: server}, source)
}
