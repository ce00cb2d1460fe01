package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// bills writes the programs' bills of materials, for Linux on amd64. The tool reads a clone of the last commit in dir:
// it asks git for the version, and does not understand every form of checkout.
func (r *release) bills(dir string) error {
	root, err := output("git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	if err := execute("", os.Environ(), "git", "clone", "--quiet", "--no-local", root, dir); err != nil {
		return err
	}
	// The tool runs on this system and describes another one.
	tool, err := output("go", "tool", "-modfile=tools/sbom/go.mod", "-n", "cyclonedx-gomod")
	if err != nil {
		return err
	}
	env := environment("GOOS=linux", "GOARCH=amd64", "GOFLAGS=-tags=noengine")
	for _, program := range programs {
		path, err := filepath.Abs(filepath.Join(r.out, program+".cdx.json"))
		if err != nil {
			return err
		}
		err = execute(dir, env, tool, "app", "-json", "-licenses", "-std", "-noserial", "-notimestamp",
			"-main", "cmd/"+program, "-output", path, ".")
		if err != nil {
			return err
		}
		if err := withoutToolDigests(path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// withoutToolDigests removes from a bill the digests of the tool that made it: they differ between machines.
func withoutToolDigests(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var bill map[string]any
	if err := decoder.Decode(&bill); err != nil {
		return err
	}
	metadata, _ := bill["metadata"].(map[string]any)
	tools, _ := metadata["tools"].([]any)
	if len(tools) == 0 {
		return fmt.Errorf("names no tool")
	}
	for _, tool := range tools {
		if tool, ok := tool.(map[string]any); ok {
			delete(tool, "hashes")
		}
	}
	text, err = json.MarshalIndent(bill, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
