// Command gen writes the settings section of the README from the tags of the structs that hold the settings, so that the
// manual, --help and the programs cannot differ. Run it after a change of a setting:
//
//	go run ./internal/settings/gen
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The section stands between these lines.
const (
	begin = "<!-- settings:begin -->\n"
	end   = "<!-- settings:end -->\n"
)

func main() {
	if err := write("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// write brings the README in root up to date.
func write(root string) error {
	path := filepath.Join(root, "README.md")
	is, err := os.ReadFile(path) //nolint:gosec // the project's own
	if err != nil {
		return fmt.Errorf("read the README (run this at the top of the source): %w", err)
	}
	should, err := fill(root, is)
	if err != nil {
		return err
	}
	if bytes.Equal(is, should) {
		return nil
	}
	if err := os.WriteFile(path, should, 0o644); err != nil { //nolint:gosec // a text that everybody may read
		return fmt.Errorf("write the README: %w", err)
	}
	return nil
}

// fill puts the section as it should be into a README.
func fill(root string, readme []byte) ([]byte, error) {
	before, rest, ok := bytes.Cut(readme, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return nil, errors.New("README.md has no lines settings:begin and settings:end")
	}
	text, err := section(root)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{before, []byte(begin), []byte(text), []byte(end), after}, nil), nil
}
