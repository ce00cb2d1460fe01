package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// environment is this process's, without what would change the binaries.
func environment(more ...string) []string {
	fixed := []string{
		"CGO_ENABLED=0", "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFLAGS=", "GOWORK=off", "TZ=UTC", "LC_ALL=C",
	}
	return append(append(os.Environ(), fixed...), more...)
}

func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}

func execute(dir string, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

// tags are the build tags for a system.
func (t target) tags() string {
	if t.os == "linux" {
		return "noengine" // loading the engine's library would need a C library
	}
	return ""
}

// build builds the programs for a system into dir.
func (r *release) build(t target, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	args := []string{
		"build", "-trimpath", "-tags", t.tags(), "-o", dir,
		"-ldflags", "-s -w -buildid= -X sluice/internal/process.version=" + r.version,
	}
	for _, p := range programs {
		args = append(args, "./cmd/"+p)
	}
	if err := execute("", environment("GOOS="+t.os, "GOARCH="+t.arch), "go", args...); err != nil {
		return err
	}
	if t.os != "linux" {
		return nil
	}
	for _, p := range programs {
		if err := checkStatic(filepath.Join(dir, p)); err != nil {
			return err
		}
	}
	return nil
}

// checkStatic returns an error if a program needs a loader or libraries.
func checkStatic(path string) error {
	file, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close() //nolint:errcheck // only read
	for _, p := range file.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return fmt.Errorf("%s is not static", path)
		}
	}
	return nil
}
