package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// openSources opens what the programs are made of, while tests run. The go command takes the result of an earlier run as long as the files
// that it opened are the same; it does not know what another go command built, and would take one of the programs as they were.
var openSources = sync.OnceValue(func() error {
	root := filepath.Join("..", "..")
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "bin" || name == "testdata"):
			return filepath.SkipDir
		case entry.IsDir() || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return f.Close()
	})
})
