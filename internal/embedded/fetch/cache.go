package fetch

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

const (
	markerName = "complete.json"
	// partial is the name prefix of the directories that fetches work in.
	partial = "partial-"
)

// cache is the directory of fetched libraries. A fetch renames an entry into place after all of it is on disk, so an
// interrupted fetch leaves no entry.
type cache struct {
	root string
	want bundle
}

// marker describes the content of an entry. It is the last file written into an entry.
type marker struct {
	Package   string `json:"package"`
	Version   string `json:"version"`
	Integrity string `json:"integrity"` // of the package
	Library   string `json:"library"`   // sha512 of the file, as in Integrity
	Size      int64  `json:"size"`      // of the file, bytes
	Modified  int64  `json:"modified"`  // of the file, Unix nanoseconds
}

// entry returns the directory of the wanted package.
func (c cache) entry() string {
	name := strings.NewReplacer("@", "", "/", "-").Replace(c.want.name)
	return filepath.Join(c.root, name+"-"+c.want.version)
}

// lookup returns the library if it is complete and unchanged. It compares size and modification time, and reads the
// file only if the latter changed.
func (c cache) lookup(log *slog.Logger) (string, bool) {
	library := filepath.Join(c.entry(), c.want.library)
	err := c.verify(library)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Warn("cached engine is unusable, fetching again", "library", library, "error", err)
	}
	return library, err == nil
}

func (c cache) verify(library string) error {
	info, err := os.Stat(library)
	if err != nil {
		return fmt.Errorf("look at library: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(c.entry(), markerName))
	if err != nil {
		return fmt.Errorf("read marker: %w", err)
	}
	var m marker
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("read marker: %w", err)
	}
	switch {
	case c.want.integrity != "" && m.Integrity != c.want.integrity:
		return errors.New("it is from another package than the pinned one")
	case m.Size != info.Size():
		return fmt.Errorf("it has %d bytes instead of %d", info.Size(), m.Size)
	case m.Modified == info.ModTime().UnixNano():
		return nil
	}
	digest, err := digestOf(library)
	if err != nil {
		return err
	}
	if digest != m.Library {
		return errors.New("its content has changed")
	}
	return nil
}

// fill fetches the package and creates the entry. The caller holds the lock, so all other files in the way are
// leftovers.
func (c cache) fill(ctx context.Context, d download) (_ string, err error) {
	if err := c.sweep(); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(c.root, partial)
	if err != nil {
		return "", fmt.Errorf("create a directory for the download: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	tarball, integrity, err := d.pack(ctx, filepath.Join(dir, "pack"))
	if err != nil {
		return "", err
	}
	entry := filepath.Join(dir, "entry")
	m, err := d.unpack(ctx, tarball, entry)
	if err != nil {
		return "", err
	}
	m.Integrity = integrity
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return "", fmt.Errorf("write marker: %w", err)
	}
	if err := writeSynced(filepath.Join(entry, markerName), text); err != nil {
		return "", err
	}
	if err := os.Rename(entry, c.entry()); err != nil {
		return "", fmt.Errorf("move into the cache: %w", err)
	}
	return filepath.Join(c.entry(), c.want.library), nil
}

// sweep removes an unusable entry and the leftovers of earlier fetches.
func (c cache) sweep() error {
	left, err := filepath.Glob(filepath.Join(c.root, partial+"*"))
	if err != nil {
		return fmt.Errorf("search for leftovers: %w", err)
	}
	for _, dir := range append(left, c.entry()) {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("remove leftovers: %w", err)
		}
	}
	return nil
}

// digestOf returns the file's sha512 in npm's notation.
func digestOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	defer file.Close() //nolint:errcheck // only read
	sum := sha512.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return integrity(sum.Sum(nil)), nil
}

// integrity formats a sha512 in npm's notation.
func integrity(sum []byte) string { return "sha512-" + base64.StdEncoding.EncodeToString(sum) }

// writeSynced writes a new file and syncs it to disk.
func writeSynced(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
