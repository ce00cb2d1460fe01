package consumer

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
)

// renderedFiles are the migrations as a flavour needs them.
type renderedFiles struct {
	fs.FS
	flavour flavour
}

// Open renders the file if it is a migration.
func (r renderedFiles) Open(name string) (fs.File, error) {
	file, err := r.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return file, err //nolint:wrapcheck // an fs.FS's own
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := fs.ReadFile(r.FS, name)
	if err != nil {
		return nil, err //nolint:wrapcheck // an fs.FS's own
	}
	rendered, err := r.flavour.render(string(text))
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err //nolint:wrapcheck // an fs.FS's own
	}
	return &renderedFile{Reader: bytes.NewReader([]byte(rendered)), info: sizedInfo{info, int64(len(rendered))}}, nil
}

// renderedFile is one of them.
type renderedFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (r *renderedFile) Stat() (fs.FileInfo, error) { return r.info, nil }
func (r *renderedFile) Close() error               { return nil }

// sizedInfo is a file's description with the size of what it was rendered to.
type sizedInfo struct {
	fs.FileInfo
	size int64
}

func (s sizedInfo) Size() int64 { return s.size }
