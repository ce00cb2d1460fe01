package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// compare builds the last commit in two clones whose paths differ, the second one without a build cache, and returns an
// error if a byte differs.
func compare(only string) error {
	dir, err := os.MkdirTemp("", "sluice-release-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a leftover harms nobody
	root, err := output("git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	var results []string
	for _, clone := range []string{"a", filepath.Join("another", "and a longer path")} {
		at := filepath.Join(dir, clone)
		if err := execute("", os.Environ(), "git", "clone", "--quiet", "--shared", root, at); err != nil {
			return err
		}
		env := os.Environ()
		if len(results) > 0 {
			env = append(env, "GOCACHE="+filepath.Join(dir, "cache"))
		}
		args := []string{"run", "./internal/tools/release", "-out", "dist"}
		if only != "" {
			args = append(args, "-only", only)
		}
		if err := execute(at, env, "go", args...); err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(at, "dist", sumsFile))
		if err != nil {
			return err
		}
		results = append(results, string(text))
	}
	fmt.Print(results[0])
	if results[0] != results[1] {
		return fmt.Errorf("the second build differs:\n%s", results[1])
	}
	fmt.Println("both builds are the same")
	return nil
}
