package fetch

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// maxLibrary bounds the unpacked size, in bytes. The library has less than a third of it today.
const maxLibrary = 2 << 30

// unpack writes the library from the tarball into dir, which it creates, and returns its marker.
func (d download) unpack(ctx context.Context, tarball, dir string) (marker, error) {
	m, err := d.extract(ctx, tarball, dir)
	if err != nil {
		return marker{}, fmt.Errorf("unpack %s@%s: %w", d.want.name, d.want.version, err)
	}
	return m, nil
}

func (d download) extract(ctx context.Context, tarball, dir string) (marker, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return marker{}, err
	}
	file, err := os.Open(tarball)
	if err != nil {
		return marker{}, err
	}
	defer file.Close() //nolint:errcheck // only read
	zipped, err := gzip.NewReader(file)
	if err != nil {
		return marker{}, err
	}
	archive := tar.NewReader(zipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return marker{}, fmt.Errorf("it has no %s", d.want.library)
		}
		if err != nil {
			return marker{}, err
		}
		if path.Base(header.Name) == d.want.library && header.Typeflag == tar.TypeReg {
			return d.keep(ctx, archive, header.Size, filepath.Join(dir, d.want.library))
		}
	}
}

// keep writes size bytes of r to a new file and syncs it to disk.
func (d download) keep(ctx context.Context, r io.Reader, size int64, name string) (marker, error) {
	if size > maxLibrary {
		return marker{}, fmt.Errorf("%s has %d bytes, more than the limit", d.want.library, size)
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return marker{}, err
	}
	bar := newProgress(d.out, "unpacking the ClickHouse engine", size)
	defer bar.finish()
	sum := sha512.New()
	_, err = io.CopyN(io.MultiWriter(file, sum, bar, cancelled{ctx}), r, size)
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return marker{}, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return marker{}, err
	}
	return marker{
		Package: d.want.name, Version: d.want.version,
		Library: integrity(sum.Sum(nil)), Size: size, Modified: info.ModTime().UnixNano(),
	}, nil
}

// cancelled is a writer that accepts everything until its context ends.
type cancelled struct{ ctx context.Context }

func (c cancelled) Write(p []byte) (int, error) { return len(p), context.Cause(c.ctx) }
