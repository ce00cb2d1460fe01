package backfill

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Reject is an item that did not become an event, as a line of the --rejects file.
type Reject struct {
	File string `json:"file"`
	// Line is the number of the line, from 1; in a JSON array that of the element.
	Line int64 `json:"line"`
	fault
	// Raw is the line itself; Cut says that it is only the beginning.
	Raw string `json:"raw"`
	Cut bool   `json:"cut,omitempty"`
}

func newReject(file string, it item, f *fault) Reject {
	data := it.data
	if it.long && len(data) > excerptBytes {
		data = data[:excerptBytes]
	}
	return Reject{File: file, Line: it.number, fault: *f, Raw: string(data), Cut: it.long}
}

func (r Reject) String() string {
	return fmt.Sprintf("%s line %d: %s", r.File, r.Line, r.fault.String())
}

// rejects is the --rejects file. A nil *rejects drops everything.
type rejects struct {
	file *os.File
	size int64
}

// openRejects opens the file for appending. from is the size that the progress file names: a run that was killed may
// have written more, which will come again. from below 0: the size that the file has.
func openRejects(path string, from int64) (*rejects, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--rejects: %w", err)
	}
	r := &rejects{file: f}
	r.size, err = f.Seek(0, io.SeekEnd)
	if err == nil && from >= 0 && from < r.size {
		r.size = from
		err = f.Truncate(from)
	}
	if err == nil {
		_, err = f.Seek(r.size, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("--rejects: %w", err)
	}
	return r, nil
}

func (r *rejects) write(list []Reject) error {
	if r == nil || len(list) == 0 {
		return nil
	}
	var lines []byte
	for i := range list {
		line, err := json.Marshal(&list[i])
		if err != nil {
			return fmt.Errorf("--rejects: %w", err)
		}
		lines = append(append(lines, line...), '\n')
	}
	n, err := r.file.Write(lines)
	r.size += int64(n)
	if err != nil {
		return fmt.Errorf("--rejects: %w", err)
	}
	return nil
}

// sync makes what was written survive a crash of the machine.
func (r *rejects) sync() error {
	if r == nil {
		return nil
	}
	if err := r.file.Sync(); err != nil {
		return fmt.Errorf("--rejects: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	if r == nil {
		return nil
	}
	if err := r.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("--rejects: %w", err)
	}
	return nil
}
