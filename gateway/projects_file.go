package gateway

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// projectsFile knows what of the projects file was read, so that a file that is as it was is not read again.
type projectsFile struct {
	path   string
	last   os.FileInfo // nil: nothing is known
	sum    uint64      // of the last content
	sure   bool        // an equal size and time mean an equal content
	fault  string      // what was wrong with it when it was last said
	broken atomic.Bool
}

var (
	errSameFile     = errors.New("the file is as it was")
	errBeingWritten = errors.New("projects file: it is being written")
)

const (
	// sureAge is how long a file must not have been changed before an equal time means an equal content: file systems' clocks are
	// coarse.
	sureAge = 2 * time.Second
	// smallFile is up to which size, in bytes, a file is looked into each time.
	smallFile = 1 << 20
)

// read reads the file, if it differs from the last one. certain says not to trust its size and time.
func (p *projectsFile) read(old *Projects, now time.Time, certain bool, pace *pacer) (*Projects, error) {
	f, err := os.Open(p.path)
	if err != nil {
		p.last = nil
		return nil, fmt.Errorf("projects file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("projects file: %w", err)
	}
	if !certain && p.sure && info.Size() > smallFile && sameInfo(p.last, info) {
		return nil, errSameFile
	}
	sure := time.Since(info.ModTime()) > sureAge
	sum, err := sumOf(f, pace)
	if err != nil {
		p.last = nil
		return nil, fmt.Errorf("projects file: %w", err)
	}
	if p.last != nil && sum == p.sum {
		p.last, p.sure = info, sure
		return nil, errSameFile
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("projects file: %w", err)
	}
	hash := xxhash.New()
	projects, err := readProjects(io.TeeReader(f, hash), p.path, old, now, pace)
	if _, rest := io.Copy(hash, pacedReader{f, pace}); rest != nil && err == nil {
		err = fmt.Errorf("projects file: %w", rest)
	}
	if after, statErr := f.Stat(); statErr != nil || hash.Sum64() != sum || !sameInfo(info, after) {
		return nil, errBeingWritten
	}
	p.last, p.sum, p.sure = info, sum, sure
	return projects, err
}

// first reads the file at start. If somebody is writing it, it waits for a moment.
func (p *projectsFile) first(now time.Time) (*Projects, error) {
	deadline := time.Now().Add(10 * projectsPatience)
	for {
		projects, err := p.read(nil, now, true, nil)
		if !errors.Is(err, errBeingWritten) || time.Now().After(deadline) {
			return projects, err
		}
		time.Sleep(projectsQuiet)
	}
}

func sameInfo(a, b os.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func sumOf(f io.Reader, pace *pacer) (uint64, error) {
	hash := xxhash.New()
	_, err := io.CopyBuffer(hash, pacedReader{f, pace}, make([]byte, 64<<10))
	return hash.Sum64(), err
}

// projectsGauges say what is in force.
func projectsGauges(g *Gateway) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("sluice_gateway_projects", "Projects in force.", func() float64 { return float64(g.projects.Load().Len()) }),
		gauge("sluice_gateway_project_keys", "Keys of projects in force.", func() float64 { return float64(g.projects.Load().Keys()) }),
		gauge("sluice_gateway_projects_file_broken", "1 while the projects file is broken and the last good one stays in force, else 0.", func() float64 {
			if g.file.broken.Load() {
				return 1
			}
			return 0
		}),
	}
}
