package event

import (
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	rfc3339  = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)
	decimals = regexp.MustCompile(`^-?\d+(\.\d+)?([eE][+-]?\d{1,3})?$`)
)

// FuzzTimestamp compares RFC 3339 with the time package and numbers with exact arithmetic.
func FuzzTimestamp(f *testing.F) {
	for text := range timestamps {
		f.Add(strings.Trim(text, `"`))
	}
	f.Fuzz(func(t *testing.T, text string) {
		ts := ParseTimestamp([]byte(text))
		got, ok := ts.Time()
		if !ts.Present() || ok && (got.UnixMilli() < minMillis || got.UnixMilli() >= endMillis) || !ok && got != epoch {
			t.Fatalf("%q: %+v", text, ts)
		}
		if len(text) > longestTime {
			if ok {
				t.Fatalf("%q is understood", text)
			}
			return
		}
		want, known := time.Time{}, false
		switch {
		case rfc3339.MatchString(text):
			parsed, err := time.Parse(time.RFC3339, text)
			want, known = parsed, err == nil
		case decimals.MatchString(text):
			want, known = exactUnix(text), true
		default:
			return
		}
		ms := want.UnixMilli()
		if known = known && ms >= minMillis && ms < endMillis; ok != known || ok && got.UnixMilli() != ms {
			t.Fatalf("%q: %v %v, want %v %v", text, got, ok, want, known)
		}
	})
}

// exactUnix is the time of a number in Unix seconds or milliseconds; a far one if it does not fit.
func exactUnix(text string) time.Time {
	value, _ := new(big.Rat).SetString(text)
	if value.Cmp(big.NewRat(1e11, 1)) < 0 {
		value.Mul(value, big.NewRat(1000, 1))
	}
	ms := new(big.Int).Div(value.Num(), value.Denom()) // Euclidean, so rounded down
	if !ms.IsInt64() {
		return time.UnixMilli(endMillis)
	}
	return time.UnixMilli(ms.Int64())
}

// FuzzParseHeaders reads headers of any content, in any number; what it accepts it must write and read again the same.
func FuzzParseHeaders(f *testing.F) {
	f.Add("1", "checkout", testID.String(), "1700000000123", "1700000000123", parent, "", "", good)
	f.Add("1", "checkout", testID.String(), "1700000000123", "", "", "v", "1", "")
	f.Add("2", "a b", "x", "-1", "+5", "00", "other", "x", "\xff")
	var d Decoder
	var ev Event
	f.Fuzz(func(t *testing.T, version, project, id, received, sent, trace, extra, extraValue, value string) {
		var headers []Header
		for _, h := range [][2]string{
			{HeaderVersion, version}, {HeaderProject, project}, {HeaderEventID, id}, {HeaderReceivedAt, received},
			{HeaderSentAt, sent}, {HeaderTraceparent, trace}, {extra, extraValue},
		} {
			if h[1] != "" {
				headers = append(headers, Header{h[0], []byte(h[1])})
			}
		}
		e, err := ParseHeaders(headers)
		if err == nil {
			again, err := ParseHeaders(e.Headers())
			if err != nil || again != e || !ValidProjectID(e.Project) || e.ReceivedAt.Before(epoch) {
				t.Fatalf("%s\nfirst %+v\nagain %+v (%v)", show(headers), e, again, err)
			}
		}
		got, recordErr := DecodeRecord(&d, []byte(value), headers, 1<<16, &ev)
		if recordErr == nil && (err != nil || got != e) {
			t.Fatalf("a record with bad headers: %+v", got)
		}
		if recordErr != nil && recordErr.(*RecordError).Reason == "" {
			t.Fatal("no reason")
		}
	})
}
