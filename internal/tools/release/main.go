package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// target is a system that binaries are built for.
type target struct{ os, arch string }

var (
	programs = []string{"gateway", "consumer", "sluice"}
	targets  = []target{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
	// documents go into each archive.
	documents = []string{"CHANGELOG.md", "LICENSE", "README.md", "docs/licences.md"}
)

func main() {
	out := flag.String("out", "dist", "directory to write to; what is in it goes away")
	only := flag.String("only", "", "one system alone, such as linux/amd64")
	check := flag.Bool("check", false, "build the last commit twice, in two directories, and compare")
	flag.Parse()
	err := run(*out, *only, *check)
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(out, only string, check bool) error {
	wanted := slices.DeleteFunc(slices.Clone(targets), func(t target) bool {
		return only != "" && only != t.os+"/"+t.arch
	})
	if len(wanted) == 0 {
		return fmt.Errorf("-only %s: not a system that is built for", only)
	}
	if check {
		return compare(only)
	}
	r, err := newRelease(out)
	if err != nil {
		return err
	}
	return r.make(wanted)
}

// release is one version in the making.
type release struct {
	out     string
	version string
	time    time.Time // of the commit
}

func newRelease(out string) (*release, error) {
	version, err := output("git", "describe", "--tags", "--always", "--dirty")
	if err != nil {
		return nil, err
	}
	when, err := output("git", "log", "-1", "--format=%ct")
	if err != nil {
		return nil, err
	}
	seconds, err := strconv.ParseInt(when, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("time of the commit: %w", err)
	}
	if strings.HasSuffix(version, "-dirty") {
		fmt.Fprintln(os.Stderr, "release: some changes are not committed; nobody else can build these archives")
	}
	return &release{out: out, version: version, time: time.Unix(seconds, 0).UTC()}, nil
}

// make writes everything into the output directory.
func (r *release) make(targets []target) error {
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	build, err := os.MkdirTemp("", "sluice-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(build) //nolint:errcheck // a leftover harms nobody
	for _, t := range targets {
		dir := filepath.Join(build, t.os+"-"+t.arch)
		if err := r.build(t, dir); err != nil {
			return err
		}
		if err := r.archive(t, dir); err != nil {
			return err
		}
	}
	if err := r.bills(filepath.Join(build, "source")); err != nil {
		return err
	}
	return sums(r.out)
}
