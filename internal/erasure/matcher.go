package erasure

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"
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

// textsOf goes through everything in a value that may be a JSON string or a number, however broken the value is: what
// follows any quote up to the next one, because nobody can tell which quotes begin a string.
func textsOf(value []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		before := byte(':') // the last character that is no space
		for at, c := range value {
			switch {
			case c == ' ' || c == '\t' || c == '\n' || c == '\r':
				continue
			case c == '"':
				if !yield(quotedAt(value, at)) {
					return
				}
			case (c == '-' || '0' <= c && c <= '9') && (before == ':' || before == ',' || before == '['):
				if number, ok := numberAt(value, at); ok && !yield(number) {
					return
				}
			}
			before = c
		}
	}
}

// numberAt reads the number that begins at an offset. It is not ok if something else follows than what may follow a
// number.
func numberAt(value []byte, at int) (number []byte, ok bool) {
	rest := value[at:]
	end := bytes.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("0123456789.eE+-", r) })
	if end < 0 {
		return rest, true
	}
	return rest[:end], strings.IndexByte(",]} \t\r\n", rest[end]) >= 0
}

// quotedAt reads the string that begins at a quote. A string without an end goes to the end of the value.
func quotedAt(value []byte, at int) []byte {
	end := at + 1
	for ; end < len(value) && value[end] != '"'; end++ {
		if value[end] == '\\' {
			end++
		}
	}
	if end >= len(value) {
		return value[at+1:]
	}
	text := value[at+1 : end]
	if bytes.IndexByte(text, '\\') >= 0 {
		var plain string
		if json.Unmarshal(value[at:end+1], &plain) == nil {
			return []byte(plain)
		}
	}
	return text
}
