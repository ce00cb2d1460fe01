package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Check reports why a spool could not be in the directory, and names the setting --spool-dir. It leaves nothing behind,
// and works while a gateway uses the directory. If the directory does not exist, its nearest parent must be writable:
// Open makes it.
func Check(dir string) error {
	info, err := os.Stat(dir)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	if err != nil {
		return fmt.Errorf("--spool-dir: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("--spool-dir: %s is not a directory", dir)
	}
	probe, err := os.CreateTemp(dir, "check-*")
	if err != nil {
		return fmt.Errorf("--spool-dir: cannot be written: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
