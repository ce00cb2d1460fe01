package backfill

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Report is the result of an import.
type Report struct {
	Files []File `json:"files"`
	// DryRun: nothing was sent; Accepted counts the events that would be.
	DryRun bool `json:"dry_run,omitempty"`
	// Passed is the result of OK, for readers of the JSON.
	Passed bool `json:"ok"`
}

// File is what became of one file, in all runs together.
type File struct {
	File string `json:"file"`
	// Lines counts the lines of the file, or the elements of its JSON array, as far as they are settled.
	Lines int64 `json:"lines"`
	counts
	// ResumedAt is the line after which this run continued; 0: at the beginning.
	ResumedAt int64 `json:"resumed_at"`
	// Already: an earlier run had imported the whole file.
	Already bool `json:"already,omitempty"`
	// Examples are the first rejected lines of this run.
	Examples []string `json:"examples,omitempty"`
	Done     bool     `json:"done"`
}

func (f File) with(s state, listed []Reject) File {
	f.Lines, f.counts, f.Done = s.Line, s.counts, s.Done
	f.Examples = nil
	for _, r := range listed {
		f.Examples = append(f.Examples, r.String())
	}
	return f
}

// OK reports whether every line became an event. It decides the exit code.
func (r Report) OK() bool {
	for _, f := range r.Files {
		if f.Rejected > 0 {
			return false
		}
	}
	return true
}

func (r Report) writeJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

func (r Report) writeText(w io.Writer) error {
	var b strings.Builder
	for _, f := range r.Files {
		for _, example := range f.Examples {
			fmt.Fprintln(&b, example)
		}
		if more := f.Rejected - int64(len(f.Examples)); len(f.Examples) == maxListed && more > 0 {
			fmt.Fprintf(&b, "… and %d more lines\n", more)
		}
		verb := "imported"
		if r.DryRun {
			verb = "valid"
		}
		fmt.Fprintf(&b, "%s: %d events %s, %d lines rejected", f.File, f.Accepted, verb, f.Rejected)
		if f.Duplicates > 0 {
			fmt.Fprintf(&b, ", %d with an id that came before", f.Duplicates)
		}
		if f.ResumedAt > 0 && !f.Already {
			fmt.Fprintf(&b, "; this run continued after line %d", f.ResumedAt)
		}
		b.WriteByte('\n')
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}
