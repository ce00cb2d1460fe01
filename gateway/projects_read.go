package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice/internal/conffile"
	"sluice/internal/settings"
)

// LoadProjects reads a projects file: YAML, or one JSON object a line if its name ends in .jsonl or .ndjson. Its error names every
// fault of the file, up to maxFaults. Limiters of old whose settings did not change are taken over, so that a reload gives nobody a
// fresh burst; old may be nil.
func LoadProjects(path string, old *Projects, now time.Time) (*Projects, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("projects file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	return readProjects(f, path, old, now, nil)
}

// CheckProjects reads a projects file for its faults only.
func CheckProjects(path string) error {
	if path == "" {
		return errNoProjects
	}
	if err := settings.CheckFile(path); err != nil {
		return fmt.Errorf("--projects-file: the projects file cannot be read: %w", err)
	}
	_, err := LoadProjects(path, nil, time.Now())
	return err
}

var errNoProjects = errors.New("--projects-file: name the file with the projects and their keys")

// parseProjects reads YAML.
func parseProjects(text []byte, old *Projects, now time.Time) (*Projects, error) {
	return readProjects(bytes.NewReader(text), "projects.yaml", old, now, nil)
}

// readProjects reads a file of that name, at a pace if it is not nil.
func readProjects(from io.Reader, path string, old *Projects, now time.Time, pace *pacer) (*Projects, error) {
	r := &projectsReader{pace: pace, path: path, builder: newProjectsBuilder(old, now)}
	r.entries.fault = r.fault
	var err error
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson":
		err = conffile.ReadJSONLines(from, r)
	default:
		err = conffile.ReadList(from, "projects", r)
	}
	switch {
	case r.stopped != nil:
		return nil, r.stopped
	case err != nil:
		return nil, fmt.Errorf("projects file: %w", err)
	case len(r.faults) > 0:
		return nil, errors.Join(r.faults...)
	case r.count == 0:
		return nil, fmt.Errorf("projects file %s: it lists no project", path)
	}
	return r.builder.done(), nil
}

// maxFaults are said of one file.
const maxFaults = 100

// projectsReader takes the projects of a file.
type projectsReader struct {
	pace    *pacer
	path    string
	builder *projectsBuilder
	entries entryReader
	faults  []error
	count   int
	stopped error // why the reading was given up
}

// Item is part of conffile.Sink.
func (r *projectsReader) Item(n *conffile.Node) bool {
	r.count++
	if r.stopped = r.pace.pause(); r.stopped != nil {
		return false
	}
	if r.entries.read(n) {
		r.builder.add(&r.entries.entry, r.fault)
	}
	return len(r.faults) < maxFaults
}

// Fault is part of conffile.Sink.
func (r *projectsReader) Fault(f *conffile.Fault) bool {
	r.count++
	r.note(f.Line, f.Err)
	return len(r.faults) < maxFaults
}

// fault notes what is wrong with the project that is being read.
func (r *projectsReader) fault(line int, err error) {
	name := fmt.Sprintf("project %d", r.count)
	if id := r.entries.entry.id; id != "" && len(id) <= shownName {
		name = fmt.Sprintf("%s (%q)", name, id)
	}
	r.note(line, fmt.Errorf("%s: %w", name, err))
}

// note adds to the faults, as long as they are not too many.
func (r *projectsReader) note(line int, err error) {
	switch n := len(r.faults); {
	case n == maxFaults:
		return
	case n == maxFaults-1:
		err = errors.New("too many faults, the rest is not read")
	}
	r.faults = append(r.faults, fmt.Errorf("projects file %s: line %d: %w", r.path, line, err))
}
