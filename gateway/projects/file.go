package projects

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
)

// File is a projects file that is read again whenever it changes. Call Load once, then Run.
type File struct {
	path string
	log  *slog.Logger

	last        *Set        // the set in force
	info        os.FileInfo // of the last content; nil: not known
	sum         uint64      // of the last content
	infoTrusted bool        // the same size and time mean the same content
	lastFault   string      // the fault that was logged last
	broken      atomic.Bool
}

// NewFile returns the projects file at path. It opens nothing.
func NewFile(path string, log *slog.Logger) *File { return &File{path: path, log: log} }

// Broken reports whether the file has a fault now, so that the last good set stays in force. Safe for concurrent use.
func (f *File) Broken() bool { return f.broken.Load() }

// Load reads the file for the first time, as fast as it can. If the file is being written, Load waits up to 10 s.
func (f *File) Load() (*Set, error) {
	deadline := time.Now().Add(10 * maxQuietWait)
	for {
		set, err := f.read(true, nil)
		if errors.Is(err, errBeingWritten) && time.Now().Before(deadline) {
			time.Sleep(quietTime)
			continue
		}
		if err != nil {
			return nil, err
		}
		f.last = set
		f.log.Info("projects file is in force", "projects", set.Len(), "keys", set.Keys())
		return set, nil
	}
}

var (
	errUnchanged    = errors.New("projects file: it did not change")
	errBeingWritten = errors.New("projects file: it is being written")
)

const (
	// trustAge is the age from which the time of a file is trusted: file systems' clocks are coarse, so that a file can
	// change twice within one tick.
	trustAge = 2 * time.Second
	// smallFile is the size in bytes up to which a file's content is always compared, whatever its time says.
	smallFile = 1 << 20
)

// read reads the file, or returns errUnchanged if its content is the last one. If announced is set, the file system
// announced a change: then read compares the content even of a large file whose size and time are the same.
func (f *File) read(announced bool, pace *pacer) (*Set, error) {
	file, err := os.Open(f.path)
	if err != nil {
		f.info = nil
		return nil, fmt.Errorf("projects file: %w", err)
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("projects file: %w", err)
	}
	if !announced && f.infoTrusted && info.Size() > smallFile && sameInfo(f.info, info) {
		return nil, errUnchanged
	}
	trusted := time.Since(info.ModTime()) > trustAge
	paced := pacedReader{file, pace}
	sum, err := sumOf(paced)
	if err != nil {
		f.info = nil
		return nil, fmt.Errorf("projects file: %w", err)
	}
	if f.info != nil && sum == f.sum {
		f.info, f.infoTrusted = info, trusted
		return nil, errUnchanged
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("projects file: %w", err)
	}
	hash := xxhash.New()
	set, err := parse(io.TeeReader(file, hash), f.path, f.last, pace)
	if _, rest := io.Copy(hash, paced); rest != nil && err == nil {
		err = fmt.Errorf("projects file: %w", rest)
	}
	after, statErr := file.Stat()
	if statErr != nil || hash.Sum64() != sum || !sameInfo(info, after) {
		return nil, errBeingWritten
	}
	f.info, f.sum, f.infoTrusted = info, sum, trusted
	return set, err
}

func sameInfo(a, b os.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func sumOf(from io.Reader) (uint64, error) {
	hash := xxhash.New()
	_, err := io.CopyBuffer(hash, from, make([]byte, 64<<10))
	return hash.Sum64(), err
}
