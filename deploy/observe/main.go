package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// The directories that files are written to, under the project's directory.
const (
	forGrafana = "deploy/observe/grafana/dashboards"
	forChart   = "deploy/helm/sluice/files"
	rulesFile  = "deploy/observe/prometheus/rules.yaml"
)

func main() {
	out := flag.String("out", "", "directory to write the dashboards and the rules to; default: the files in the tree")
	runbook := flag.String("runbook", runbookInTree, "URL of docs/operations.md, for the links of dashboards and alerts")
	flag.Parse()
	if err := run(*out, *runbook); err != nil {
		fmt.Fprintln(os.Stderr, "observe:", err)
		os.Exit(1)
	}
}

// run writes the files into out, or, if out is empty, into the tree whose directory deploy/observe is the working
// directory.
func run(out, runbook string) error {
	root := filepath.Join("..", "..")
	rules, err := os.ReadFile(filepath.Join(root, rulesFile))
	if err != nil {
		return fmt.Errorf("run this in deploy/observe: %w", err)
	}
	files, err := generate(rules, runbook)
	if err != nil {
		return err
	}
	if out != "" {
		return writeAll(out, files)
	}
	if runbook != runbookInTree {
		return fmt.Errorf("-runbook needs -out: the files in the tree link to %s", runbookInTree)
	}
	if err := writeAll(filepath.Join(root, forChart), files); err != nil {
		return err
	}
	delete(files, "rules.yaml") // the source in the tree
	dashboards := map[string][]byte{}
	for name, text := range files {
		dashboards[filepath.Base(name)] = text
	}
	return writeAll(filepath.Join(root, forGrafana), dashboards)
}

// generate returns the rules and the dashboards, by their path in the output.
func generate(rules []byte, runbook string) (map[string][]byte, error) {
	links := func(text []byte) []byte {
		return bytes.ReplaceAll(text, []byte(runbookInTree+"#"), []byte(runbook+"#"))
	}
	files := map[string][]byte{"rules.yaml": links(rules)}
	for _, d := range dashboards() {
		board, err := d.build()
		if err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", d.uid, err)
		}
		var text bytes.Buffer
		to := json.NewEncoder(&text)
		to.SetIndent("", "  ")
		to.SetEscapeHTML(false)
		if err := to.Encode(board); err != nil {
			return nil, fmt.Errorf("dashboard %s: %w", d.uid, err)
		}
		files["dashboards/"+d.uid+".json"] = links(text.Bytes())
	}
	return files, nil
}

// writeAll writes files, by their path in dir.
func writeAll(dir string, files map[string][]byte) error {
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
