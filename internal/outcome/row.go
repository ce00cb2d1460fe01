package outcome

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"sluice/internal/event"
)

// Format is the value of the header format of a record with counts. No client can choose it.
const Format = "outcomes"

// RecordProject stands for the project in the headers of a record with counts, which are of many projects.
const RecordProject = "-"

// Native is the protocol of events of our own format.
const Native = "native"

// Unknown is the protocol of a record whose headers do not say one that is known.
const Unknown = "unknown"

// The outcomes.
const (
	Accepted      = "accepted"       // a row of sluice.events
	Rejected      = "rejected"       // refused by the gateway; the reason is the answer's code
	RateLimited   = "rate_limited"   // refused by a rate limit; the reason is the limit's name
	Filtered      = "filtered"       // dropped by a processing step; the reason is the step's name
	ClientDropped = "client_dropped" // never sent, as the client reports; with the client's reason and category
	DeadLettered  = "dead_lettered"  // on the dead-letter topic; the reason is the dead letter's
)

// MaxRows is how many rows a record may have.
const MaxRows = 500

// MaxEvents is the largest number that a row counts.
const MaxEvents = 1 << 53

// longestWord is the length of the longest word of a row, in bytes.
const longestWord = 32

// Row is one count.
type Row struct {
	Project  string `json:"project"` // "": no valid key, or no valid header
	Minute   int64  `json:"minute"`  // its beginning, in Unix seconds
	Protocol string `json:"protocol"`
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason"`
	Category string `json:"category,omitempty"` // what a client dropped: error, transaction, session, …
	Events   int64  `json:"events"`

	// Source names whoever counted. Of two rows that differ in Events only, the one with more counts.
	Source uuid.UUID `json:"-"`
}

// MinuteOf returns the minute of a time.
func MinuteOf(t time.Time) int64 {
	s := t.Unix()
	return s - s%60
}

// ProtocolOf returns the protocol of a format of events.
func ProtocolOf(format string) string {
	if format == "" {
		return Native
	}
	return format
}

// record is the value of a record with counts.
type record struct {
	Source   uuid.UUID `json:"source"` // of the process that counted
	Outcomes []Row     `json:"outcomes"`
}

// Encode returns the value of a record with at most MaxRows rows of one source.
func Encode(source uuid.UUID, rows []Row) []byte {
	text, err := json.Marshal(record{source, rows})
	if err != nil { // impossible: plain structs
		panic(err)
	}
	return text
}

var errNotCounts = errors.New("the value is not a record with counts")

// Decode reads the value of a record and trusts nothing in it. The error repeats none of its bytes.
func Decode(value []byte) ([]Row, error) {
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return nil, errNotCounts
	}
	if r.Source == uuid.Nil || len(r.Outcomes) == 0 || len(r.Outcomes) > MaxRows {
		return nil, fmt.Errorf("%w: it needs a source, and 1 to %d rows", errNotCounts, MaxRows)
	}
	for i := range r.Outcomes {
		if !r.Outcomes[i].valid() {
			return nil, fmt.Errorf("%w: row %d is not valid", errNotCounts, i)
		}
		r.Outcomes[i].Source = r.Source
	}
	return r.Outcomes, nil
}

// latest is the last minute that a DateTime of ClickHouse holds.
const latest = 1<<32 - 60

func (r *Row) valid() bool {
	return (r.Project == "" || event.ValidProjectID(r.Project)) &&
		r.Minute >= 0 && r.Minute <= latest && r.Minute%60 == 0 &&
		r.Events > 0 && r.Events <= MaxEvents &&
		isWord(r.Protocol) && r.Protocol != "" && isWord(r.Outcome) && r.Outcome != "" &&
		isWord(r.Reason) && isWord(r.Category)
}

// isWord reports whether a text is at most 32 characters of a to z, 0 to 9, underscore and hyphen.
func isWord(text string) bool {
	return text == "" || len(text) <= longestWord && event.ValidProjectID(text)
}
