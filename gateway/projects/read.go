package projects

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"sluice/internal/conffile"
	"sluice/internal/settings"
)

// ErrNoFile is returned by Check and by callers that need a projects file when the setting names none.
var ErrNoFile = errors.New("--projects-file: name the file with the projects and their keys")

// Load reads a projects file: YAML, or one JSON object a line if its name ends in .jsonl or .ndjson. Its error names
// each fault with its line, 100 faults at most.
func Load(path string) (*Set, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("projects file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	return Parse(f, path)
}

// Parse reads what Load reads, from a reader. The name decides the syntax and is part of errors.
func Parse(from io.Reader, name string) (*Set, error) { return parse(from, name, nil, nil) }

// Check reports the faults of a projects file. The path is the setting's value; an empty one is a fault.
func Check(path string) error {
	if path == "" {
		return ErrNoFile
	}
	if err := settings.CheckFile(path); err != nil {
		return fmt.Errorf("--projects-file: the projects file cannot be read: %w", err)
	}
	_, err := Load(path)
	return err
}

// hasLines reports whether a file of that name has one project on each line.
func hasLines(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return ext == ".jsonl" || ext == ".ndjson"
}

// parse reads a file of that name, at a pace unless it is nil. If the pacer's context ends, parse returns the context's
// error. The set that was read before, if any, says how much room to make.
func parse(from io.Reader, name string, old *Set, pace *pacer) (*Set, error) {
	r := &reader{pace: pace, name: name, builder: newBuilder(old)}
	r.entries.fault = r.fault
	var err error
	if hasLines(name) {
		err = conffile.ReadJSONLines(from, r)
	} else {
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
		return nil, fmt.Errorf("projects file %s: it lists no project", name)
	}
	return r.builder.done(), nil
}

// maxFaults is how many faults the error of one file names.
const maxFaults = 100

// reader is the conffile.Sink that makes a set of a file's projects.
type reader struct {
	pace    *pacer
	name    string
	builder *builder
	entries entryReader
	faults  []error
	count   int   // projects read, the faulty ones included
	stopped error // the context's error, if the context has ended
}

// Item is part of conffile.Sink.
func (r *reader) Item(n *conffile.Node) bool {
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
func (r *reader) Fault(f *conffile.Fault) bool {
	r.count++
	r.note(f.Line, f.Err)
	return len(r.faults) < maxFaults
}

// fault notes a fault of the project that is being read.
func (r *reader) fault(line int, err error) {
	name := fmt.Sprintf("project %d", r.count)
	if id := r.entries.entry.id; id != "" && len(id) <= maxShownName {
		name = fmt.Sprintf("%s (%q)", name, id)
	}
	r.note(line, fmt.Errorf("%s: %w", name, err))
}

// note adds a fault to the list, until the list is full.
func (r *reader) note(line int, err error) {
	switch n := len(r.faults); {
	case n == maxFaults:
		return
	case n == maxFaults-1:
		err = errors.New("too many faults, the rest is not read")
	}
	r.faults = append(r.faults, fmt.Errorf("projects file %s: line %d: %w", r.name, line, err))
}
