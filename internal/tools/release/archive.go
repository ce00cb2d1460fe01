package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// entry is a file in an archive.
type entry struct {
	name string // in the archive
	from string
	mode int64
}

// archive writes the archive of a system: the programs and the documents, in a folder with the archive's name.
func (r *release) archive(t target, dir string) error {
	name := fmt.Sprintf("sluice-%s-%s-%s", r.version, t.os, t.arch)
	var entries []entry
	for _, p := range programs {
		entries = append(entries, entry{path.Join(name, p), filepath.Join(dir, p), 0o755})
	}
	for _, d := range documents {
		entries = append(entries, entry{path.Join(name, path.Base(d)), filepath.FromSlash(d), 0o644})
	}
	file, err := os.Create(filepath.Join(r.out, name+".tar.gz"))
	if err != nil {
		return err
	}
	return errors.Join(pack(file, entries, r.time), file.Close())
}

// pack writes an archive that depends on the files' contents, names and modes alone. All have one time and no owner.
func pack(to io.Writer, entries []entry, when time.Time) error {
	zip, err := gzip.NewWriterLevel(to, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zip)
	for _, e := range entries {
		if err := add(archive, e, when); err != nil {
			return fmt.Errorf("archive %s: %w", e.name, err)
		}
	}
	return errors.Join(archive.Close(), zip.Close())
}

func add(archive *tar.Writer, e entry, when time.Time) error {
	file, err := os.Open(e.from)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: e.name, Mode: e.mode, Size: info.Size(), ModTime: when, Format: tar.FormatUSTAR,
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}

// sumsFile lists the digests, as sha256sum does.
const sumsFile = "SHA256SUMS"

// sums writes the digests of the files in dir.
func sums(dir string) error {
	files, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, f := range files {
		if f.Name() == sumsFile {
			continue
		}
		file, err := os.Open(filepath.Join(dir, f.Name()))
		if err != nil {
			return err
		}
		hash := sha256.New()
		_, err = io.Copy(hash, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", hash.Sum(nil), f.Name())
	}
	return os.WriteFile(filepath.Join(dir, sumsFile), []byte(text.String()), 0o644)
}
