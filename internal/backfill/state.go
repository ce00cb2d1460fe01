package backfill

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// stateSuffix makes the default name of the progress file.
const stateSuffix = ".sluice-progress"

// state is the content of the progress file.
type state struct {
	Version int    `json:"version"`
	File    string `json:"file"`
	Input   input  `json:"input"`
	// Target is a hash of the gateway's URL and the key: progress towards one project says nothing about another.
	Target string `json:"target"`

	// Array: the input is a JSON array, not NDJSON.
	Array bool `json:"array,omitempty"`
	// Offset is the end of what is settled, in bytes of the decompressed text; Line its number of lines or elements.
	Offset int64 `json:"offset"`
	Line   int64 `json:"line"`
	counts
	// RejectsFile and RejectsBytes are the --rejects file and its size.
	RejectsFile  string `json:"rejects_file,omitempty"`
	RejectsBytes int64  `json:"rejects_bytes,omitempty"`
	// Done: the input was read to its end.
	Done bool `json:"done"`
}

// counts say what became of the items of an input.
type counts struct {
	// Accepted counts events that the gateway keeps, Duplicates those whose id came earlier in the same request,
	// Rejected the items that are no events.
	Accepted   int64 `json:"accepted"`
	Duplicates int64 `json:"duplicates"`
	Rejected   int64 `json:"rejected"`
}

const stateVersion = 1

func targetHash(t Target) string {
	sum := sha256.Sum256([]byte("sluice import target v1\x00" + t.URL + "\x00" + t.Key))
	return hex.EncodeToString(sum[:8])
}

// readState returns the state in a file; nil if there is no file.
func readState(path string) (*state, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--state: %w", err)
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil || s.Version == 0 || s.Offset < 0 || s.Line < 0 {
		return nil, fmt.Errorf("%s is not the progress of an import: name another file with --state, or remove it",
			path)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("%s was written by another version of sluice: "+
			"--restart sends the file from its beginning; events that were sent before stay one row each", path)
	}
	return &s, nil
}

// continues checks that the state belongs to this input and target. The error says what to do.
func (s *state) continues(path string, in input, target, name string) error {
	const remedy = "--restart sends it from its beginning; events that were sent before stay one row each"
	switch {
	case s.Input.Head != in.Head:
		return fmt.Errorf("%s begins differently than when its import began (%s): %s", name, path, remedy)
	case s.Input.Size != in.Size:
		return fmt.Errorf("%s had %d bytes when its import began and has %d now (%s): %s", name, s.Input.Size, in.Size,
			path, remedy)
	case !s.Input.Modified.Equal(in.Modified):
		return fmt.Errorf("%s was changed since its import began (%s): %s", name, path, remedy)
	case s.Target != target:
		return fmt.Errorf("%s is the progress of an import to another --url or --key: name another file with --state, "+
			"or use --restart", path)
	}
	return nil
}

// write replaces the file atomically: at any time it holds the old state or the new one, on disk.
func (s *state) write(path string) (err error) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("--state: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("--state: %w", err)
		}
	}()
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
