package event

import "time"

// Timestamp is a time that a client wrote: absent, understood, or not understood. The zero Timestamp is absent.
//
// RFC 3339 is understood (parseRFC3339 lists variations), and so is Unix time, as a number or a string: numbers below
// 1e11 are seconds, larger ones milliseconds, with an optional fraction and exponent. The time must lie within the
// years 1900 to 2299, the range of a DateTime64(3).
type Timestamp struct {
	state timestampState
	ms    int64 // Unix milliseconds, UTC
}

type timestampState uint8

const (
	absent timestampState = iota
	understood
	notUnderstood
)

// Representable milliseconds are those from minMillis up to, not including, endMillis.
var (
	minMillis = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	endMillis = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// longestTime is the length of the longest text that is read as a time, in bytes. Every digit of a double fits in.
const longestTime = 64

// Present reports whether the client gave a timestamp. null does not count as one.
func (ts Timestamp) Present() bool { return ts.state != absent }

// Time returns the time in UTC, cut to the millisecond, and whether it was understood. Otherwise the time is
// 1970-01-01.
func (ts Timestamp) Time() (time.Time, bool) {
	return utc(ts.ms), ts.state == understood
}

// ParseTimestamp reads a time from plain text: the value of a header or a query parameter, or the inside of a string.
// The result is always present: understood or not understood.
func ParseTimestamp(text []byte) Timestamp {
	if len(text) > longestTime {
		return Timestamp{state: notUnderstood}
	}
	if ts := parseRFC3339(text); ts.state == understood {
		return ts
	}
	return parseUnix(text)
}

func timestampOf(ms int64) Timestamp {
	if !representable(ms) {
		return Timestamp{state: notUnderstood}
	}
	return Timestamp{state: understood, ms: ms}
}

func representable(ms int64) bool { return ms >= minMillis && ms < endMillis }
