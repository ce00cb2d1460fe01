package event

import (
	"time"

	"github.com/google/uuid"
)

// Envelope is what the gateway knows about an event beside its bytes. It travels in the Kafka record's headers.
type Envelope struct {
	Project    string // from the key the client used, never from the event
	ID         uuid.UUID
	ReceivedAt time.Time // the gateway's clock; travels in milliseconds
	SentAt     time.Time // the client's clock, when it sent the request; zero: it did not say
	// Traceparent is the W3C trace context of the request, or empty. Anything else but a valid one is dropped: it must
	// not cost an event.
	Traceparent string
}

// clockTolerance is the difference between clocks that is taken for the network's.
const clockTolerance = 2 * time.Second

// Correction is our clock minus the client's, for Event.Times: zero unless the client said when it sent the request
// and was more than two seconds off.
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

// longestProjectID is in bytes.
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
