package docs

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("docs.update", false, "write the generated sections of docs/ instead of comparing them")

// Section compares a generated section of a file in docs/ with the text it should have, and fails the test where they
// differ. With -docs.update it writes the section. A section stands between the lines <!-- name:begin --> and
// <!-- name:end -->.
func Section(t testing.TB, file, name, should string) {
	t.Helper()
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "docs", file)
	if *update {
		if err := write(path, name, should); err != nil {
			t.Fatal(err)
		}
		return
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, is, _, err := cut(text, name)
	if err != nil {
		t.Fatalf("docs/%s: %v", file, err)
	}
	if line, differs := firstDifference(string(is), should); differs {
		t.Errorf("docs/%s is stale, run make docs; section %s, line %d", file, name, line)
	}
}

// Root returns the project's directory: the nearest one upwards that has a go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod in this directory or above it")
		}
		dir = parent
	}
}

// write replaces a section of the file at path.
func write(path, name, should string) error {
	is, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	filled, err := fill(is, name, should)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if bytes.Equal(is, filled) {
		return nil
	}
	return os.WriteFile(path, filled, 0o644)
}

// fill returns the text with another section.
func fill(text []byte, name, should string) ([]byte, error) {
	before, _, after, err := cut(text, name)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{before, []byte(should), after}, nil), nil
}

// cut splits a text around a section. The marker lines belong to what is before and after.
func cut(text []byte, name string) (before, section, after []byte, err error) {
	begin, end := []byte("<!-- "+name+":begin -->\n"), []byte("<!-- "+name+":end -->\n")
	at, stop := bytes.Index(text, begin), bytes.Index(text, end)
	if at < 0 || stop < at {
		return nil, nil, nil, fmt.Errorf("no lines %s and %s", bytes.TrimSpace(begin), bytes.TrimSpace(end))
	}
	at += len(begin)
	return text[:at], text[at:stop], text[stop:], nil
}

// firstDifference returns the number of the first line in which two texts differ, from 1.
func firstDifference(is, should string) (line int, differs bool) {
	if is == should {
		return 0, false
	}
	line = 1
	for i := 0; i < len(is) && i < len(should) && is[i] == should[i]; i++ {
		if is[i] == '\n' {
			line++
		}
	}
	return line, true
}
