package event

import "time"

// Timestamp is a time as a client wrote it: absent, understood, or not understood. The zero Timestamp is absent.
//
// Understood are RFC 3339 (see parseRFC3339 for what is allowed beyond it) and Unix time, as a number or a string:
// below 1e11 seconds, from there on milliseconds, in both cases with a fraction or an exponent if need be. The time
// must lie within 1900 to 2299, which is what a DateTime64(3) holds.
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

// The first millisecond that is representable and the first after them that is not.
var (
	minMillis = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	endMillis = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// longestTime is the longest text that can be a time, in bytes; with it a double's every digit is read.
const longestTime = 64

// Present reports whether the client gave a timestamp at all. null is none.
func (ts Timestamp) Present() bool { return ts.state != absent }

// Time returns the time in UTC, cut to the millisecond, and whether it was understood. If not, the time is 1970-01-01.
func (ts Timestamp) Time() (time.Time, bool) {
	return utc(ts.ms), ts.state == understood
}

// ParseTimestamp reads a time from text that is not JSON: a header's, a query's, or the inside of a string. The
// result is present, if only as not understood.
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
