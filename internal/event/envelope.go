package event

import (
	"time"

	"github.com/google/uuid"
)

// Envelope is what the gateway adds to an event. It travels in the headers of the Kafka record.
type Envelope struct {
	Project    string // of the key that the client used; never taken from the event
	ID         uuid.UUID
	ReceivedAt time.Time // by the gateway's clock; travels in milliseconds
	SentAt     time.Time // time of sending by the client's clock; zero if the client gave none
	// Traceparent is the W3C trace context of the request, or empty. An invalid one is dropped and does not cost the
	// event.
	Traceparent string
	// Format names the format of the event, see Formats. "" is our own. It is 1 to 16 characters of a to z, 0 to 9 and
	// hyphen; another one is dropped by AppendHeaders.
	Format string
}

// clockTolerance is the largest difference between two clocks that counts as network delay.
const clockTolerance = 2 * time.Second

// Correction returns the gateway's clock minus the client's, for Event.Times. It is zero if the client gave no time of
// sending, or if its clock is at most clockTolerance off.
func (e Envelope) Correction() time.Duration {
	if e.SentAt.IsZero() {
		return 0
	}
	off := e.ReceivedAt.Sub(e.SentAt)
	if off.Abs() <= clockTolerance {
		return 0
	}
	return off
}

// longestProjectID is the length of the longest project id, in bytes.
const longestProjectID = 64

// ValidProjectID reports whether id is 1 to 64 characters of a to z, 0 to 9, underscore and hyphen.
func ValidProjectID(id string) bool {
	if len(id) == 0 || len(id) > longestProjectID {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if !('a' <= c && c <= 'z') && !isDigit(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// longestFormat is the length of the longest name of a format, in bytes.
const longestFormat = 16

// validFormat reports whether a name of a format is well-formed, whether or not the format is known.
func validFormat(name string) bool {
	if len(name) == 0 || len(name) > longestFormat {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !('a' <= c && c <= 'z') && !isDigit(c) && c != '-' {
			return false
		}
	}
	return true
}

// ValidTraceparent reports whether v is a traceparent header of W3C Trace Context: version, trace id, parent id and
// flags in lower-case hexadecimal, the ids not zero. Versions after 00 may have more fields behind these; they are
// not accepted.
func ValidTraceparent(v string) bool {
	const form = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if len(v) != len(form) || v[:2] == "ff" {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if (form[i] == '-') != (c == '-') || c != '-' && !isDigit(c) && !('a' <= c && c <= 'f') {
			return false
		}
	}
	return !isZeros(v[3:35]) && !isZeros(v[36:52])
}

func isZeros(s string) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return false
		}
	}
	return true
}
