package erasure

import (
	"bytes"
	"encoding/json"
	"time"

	"sluice/internal/event"
	"sluice/internal/format"
)

// Matcher looks up records that are not rows: dead letters, and what lies in a spool. It is not safe for concurrent use.
type Matcher struct {
	looker  *Looker
	decoder event.Decoder
	event   event.Event
}

// NewMatcher returns a matcher for a list.
func NewMatcher(l *List) *Matcher {
	return &Matcher{looker: l.Looker(), decoder: event.Decoder{Formats: format.All()}}
}

// mostBytes is more than any record has.
const mostBytes = 64 << 20

// Covers reports whether a record is erased. project is what its headers say, well-formed or not.
//
// The value of a dead letter may be no event, or no JSON. Then no field says whose it is, and it counts as received
// when its header says so, else long ago. It is erased if any text or number in it is the user's id or address. So a
// broken record that only mentions an erased user goes with the user's own.
func (m *Matcher) Covers(project string, value []byte, headers []event.Header) bool {
	if !m.looker.list.HasProject([]byte(project)) {
		return false
	}
	envelope, err := event.DecodeRecord(&m.decoder, value, headers, mostBytes, &m.event)
	if err == nil {
		user, email := m.event.UserID.AppendTo(nil), m.event.UserEmail.AppendTo(nil)
		return m.looker.Covers([]byte(project), user, email, TimesOf(&m.event, &envelope))
	}
	t := Times{Received: receivedAt(headers)}
	t.Timestamp = t.Received
	if t.Received > 0 {
		t.V7 = true // when it was received is all that is known, and is told
	}
	if m.looker.Covers([]byte(project), nil, nil, t) {
		return true
	}
	for text := range textsOf(value) {
		if m.looker.Covers([]byte(project), text, text, t) {
			return true
		}
	}
	return false
}

// receivedAt is the time in the headers, 0 if there is none.
func receivedAt(headers []event.Header) int64 {
	for _, h := range headers {
		if h.Key == event.HeaderReceivedAt {
			var at int64
			if json.Unmarshal(h.Value, &at) == nil {
				return max(0, min(at, time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()))
			}
		}
	}
	return 0
}

// textsOf goes through everything in a value that may be a JSON string or a number, however broken the value is.
func textsOf(value []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for at := 0; at < len(value); {
			c := value[at]
			switch {
			case c == '"':
				text, end := quotedAt(value, at)
				if !yield(text) {
					return
				}
				at = max(at+1, end-1) // in a broken value the quote at the end may be the beginning of the next text
			case '0' <= c && c <= '9' || c == '-':
				end := at + 1
				for end < len(value) && bytes.IndexByte([]byte("0123456789.eE+-"), value[end]) >= 0 {
					end++
				}
				if !yield(value[at:end]) {
					return
				}
				at = end
			default:
				at++
			}
		}
	}
}

// quotedAt reads the string that begins at a quote. A string without an end goes to the end of the value.
func quotedAt(value []byte, at int) (text []byte, end int) {
	for end = at + 1; end < len(value) && value[end] != '"'; end++ {
		if value[end] == '\\' {
			end++
		}
	}
	if end >= len(value) {
		return value[at+1:], len(value)
	}
	text = value[at+1 : end]
	if bytes.IndexByte(text, '\\') >= 0 {
		var plain string
		if json.Unmarshal(value[at:end+1], &plain) == nil {
			text = []byte(plain)
		}
	}
	return text, end + 1
}
