package erase

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"sluice/internal/erasure"
)

// receiptVersion is the version of the file.
const receiptVersion = 1

// Receipt says what an erasure has removed, and what remains where until when. It does not say whose events they were,
// beyond the project and salted hashes.
type Receipt struct {
	Version  int    `json:"version"`
	Project  string `json:"project"`
	By       string `json:"by"` // project, user, email, or user and email
	Note     string `json:"note,omitempty"`
	Database string `json:"database"`
	Cluster  string `json:"cluster,omitempty"`

	// ErasedAt is the time of the erasure: what happened or was received before is erased, and later events are kept.
	ErasedAt time.Time `json:"erased_at"`
	Finished time.Time `json:"finished_at"`

	Gone    []Gone    `json:"gone"`
	Remains []Remains `json:"remains"`

	// What a later look goes by.
	Marks    []string      `json:"marks"`
	Parts    []Part        `json:"parts,omitempty"`
	Log      []LogPosition `json:"kafka,omitempty"`
	Gateways []string      `json:"gateways,omitempty"`
}

// Gone is what was removed from one place.
type Gone struct {
	Where string `json:"where"`
	What  string `json:"what"`
	Count int64  `json:"count"`
}

// Remains is what is left in one place.
type Remains struct {
	Place Place  `json:"place"`
	Where string `json:"where"`
	What  string `json:"what"`
	// Until is when it is gone without anybody's doing. Nil: Why says what that depends on.
	Until *time.Time `json:"until,omitempty"`
	Why   string     `json:"why"`
}

// Place names what a later look examines.
type Place string

// The places.
const (
	PlaceParts   Place = "clickhouse_parts"
	PlaceTopic   Place = "kafka_topic"
	PlaceLetters Place = "dead_letters"
	PlaceSpools  Place = "spools"
	PlaceOther   Place = "other" // out of the tool's reach: it cannot look there
)

// LogPosition is up to where a partition may hold erased events.
type LogPosition struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Before    int64  `json:"before"` // offset
}

// marks reads the receipt's marks.
func (r *Receipt) marks() ([]erasure.Mark, error) {
	out := make([]erasure.Mark, len(r.Marks))
	for i, text := range r.Marks {
		var err error
		if out[i], err = erasure.Parse(text); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// remains notes what is left.
func (r *Receipt) remains(place Place, until *time.Time, where, what, why string) {
	r.Remains = append(r.Remains, Remains{Place: place, Where: where, What: what, Until: until, Why: why})
}

// WriteJSON prints the receipt as JSON.
func (r *Receipt) WriteJSON(w io.Writer) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("print the receipt: %w", err)
	}
	return nil
}

// WriteText prints the receipt for people.
func (r *Receipt) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "erased: project %s, by %s, everything before %s\n\n", r.Project, r.By, moment(r.ErasedAt))
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "GONE\tFROM\tCOUNT")
	for _, g := range r.Gone {
		fmt.Fprintf(table, "%s\t%s\t%d\n", g.What, g.Where, g.Count)
	}
	fmt.Fprintln(table, "\t\t\nREMAINS\tIN\tUNTIL")
	for _, m := range r.Remains {
		fmt.Fprintf(table, "%s\t%s\t%s\n", m.What, m.Where, m.when())
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the receipt: %w", err)
	}
	return nil
}

// when is the end of what remains, in words.
func (m Remains) when() string {
	if m.Until == nil {
		return m.Why
	}
	return moment(*m.Until) + ": " + m.Why
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// Write writes the receipt into a file that nobody else may read.
func (r *Receipt) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("--receipt: %w", err)
	}
	return nil
}

// ErrReceipt says that a file is no receipt.
var ErrReceipt = errors.New("not a receipt of `sluice erase`")

// Read reads a receipt from a file.
func Read(path string) (*Receipt, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--check: %w", err)
	}
	r := &Receipt{}
	if err := json.Unmarshal(text, r); err != nil || r.Version == 0 || len(r.Marks) == 0 {
		return nil, fmt.Errorf("--check: %s: %w", path, ErrReceipt)
	}
	if r.Version != receiptVersion {
		return nil, fmt.Errorf("--check: %s: version %d of receipts, this program reads %d", path, r.Version, receiptVersion)
	}
	if _, err := r.marks(); err != nil {
		return nil, fmt.Errorf("--check: %s: %w: %w", path, ErrReceipt, err)
	}
	return r, nil
}
