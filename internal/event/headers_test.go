package event

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

var (
	testID   = uuid.MustParse("0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b")
	envelope = Envelope{
		Project: "checkout", ID: testID, ReceivedAt: time.UnixMilli(1_700_000_000_123).UTC(),
		SentAt: time.UnixMilli(-5).UTC(), Traceparent: parent,
	}
)

func show(headers []Header) string {
	var b strings.Builder
	for _, h := range headers {
		b.WriteString(h.Key + "=" + string(h.Value) + " ")
	}
	return b.String()
}

func TestHeaders(t *testing.T) {
	const least = "v=1 project=checkout event-id=0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b received-at=1700000000123 "
	if got, want := show(envelope.Headers()), least+"sent-at=-5 traceparent="+parent+" "; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	few := envelope
	few.SentAt, few.Traceparent = time.Time{}, "not a traceparent"
	if got := show(few.Headers()); got != least {
		t.Errorf("got  %s\nwant %s", got, least)
	}
	for _, h := range envelope.Headers() {
		if len(h.Value) != cap(h.Value) {
			t.Errorf("%s can grow into its neighbour", h.Key)
		}
	}
}

func TestHeadersRoundTrip(t *testing.T) {
	few := envelope
	few.SentAt, few.Traceparent = time.Time{}, ""
	for _, want := range []Envelope{envelope, few} {
		headers := append(want.Headers(), Header{Key: "other", Value: []byte("x")}, Header{Key: "other"}, Header{Key: "V"}, Header{})
		slices.Reverse(headers)
		got, err := ParseHeaders(headers)
		if err != nil || got != want {
			t.Errorf("got  %+v\nwant %+v (%v)", got, want, err)
		}
	}
}

func TestBadHeaders(t *testing.T) {
	for name, values := range map[string][]string{
		HeaderVersion:    {"", "0", "2", "01", "1 ", "one"},
		HeaderProject:    {"", "Checkout", "a b", "a/b", "é", "a\n", strings.Repeat("a", 65)},
		HeaderEventID:    {"", "x", uuid.Nil.String(), "0190a5b27c3d7e4f8a1b2c3d4e5f6a7b", "{0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7b}", "0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7g"},
		HeaderReceivedAt: {"", "-1", "+1", "1.5", "1e3", " 1", "2026-01-01T00:00:00Z", "10413792000000", "99999999999999999999", strings.Repeat("1", 1000)},
		HeaderSentAt:     {"", "-", "--1", "x", "-2208988800001", "10413792000000"},
	} {
		reason := DeadBadHeader
		if name == HeaderVersion {
			reason = DeadUnsupportedVersion
		}
		for _, value := range values {
			headers := envelope.Headers()
			headers[slices.IndexFunc(headers, func(h Header) bool { return h.Key == name })].Value = []byte(value)
			wantRecordError(t, name+"="+value, headers, reason)
		}
		headers := envelope.Headers()
		i := slices.IndexFunc(headers, func(h Header) bool { return h.Key == name })
		wantRecordError(t, name+" twice", append(headers, headers[i]), DeadBadHeader)
		if name != HeaderSentAt {
			wantRecordError(t, "no "+name, slices.Delete(envelope.Headers(), i, i+1), DeadMissingHeader)
		}
	}
	wantRecordError(t, "none", nil, DeadMissingHeader)
	wantRecordError(t, "traceparent twice", append(envelope.Headers(), Header{Key: HeaderTraceparent}), DeadBadHeader)
}

func wantRecordError(t *testing.T, name string, headers []Header, want DeadReason) {
	t.Helper()
	_, err := ParseHeaders(headers)
	var e *RecordError
	if !errors.As(err, &e) || e.Reason != want || e.Detail == "" || !slices.Contains(DeadReasons(), e.Reason) {
		t.Errorf("%.80q: %v, want %s", name, err, want)
	}
}

func TestBadTraceparentCostsNothing(t *testing.T) {
	for _, value := range []string{
		"", "x", parent + "-00", "ff" + parent[2:], strings.ToUpper(parent), strings.Replace(parent, "-", "_", 1),
		"00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		strings.Repeat("x", 1<<20),
	} {
		headers := append(envelope.Headers()[:5], Header{Key: HeaderTraceparent, Value: []byte(value)})
		if e, err := ParseHeaders(headers); err != nil || e.Traceparent != "" {
			t.Errorf("%.80q: %+v %v", value, e, err)
		}
	}
}

func TestValidProjectID(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "-": true, "_": true, "0": true, "az09_-": true, strings.Repeat("a", 64): true,
		"": false, strings.Repeat("a", 65): false, "A": false, ".": false, "a\x00": false, "ä": false,
	} {
		if ValidProjectID(id) != want {
			t.Errorf("%q: want %v", id, want)
		}
	}
}

func TestDecodeRecord(t *testing.T) {
	const most = 1000
	const sameID = `{"message":"m","event_id":"0190A5B27c3d7e4f8a1b2c3d4e5f6a7b"}`
	sized := func(n int) []byte { return []byte(`{"message":"` + strings.Repeat("m", n-len(good)+1) + `"}`) }
	none := []Header{}
	for name, c := range map[string]struct {
		value   []byte
		headers []Header
		want    DeadReason
	}{
		"good":                 {[]byte(good), nil, ""},
		"same id":              {[]byte(sameID), nil, ""},
		"another id":           {[]byte(`{"message":"m","event_id":"0190a5b2-7c3d-7e4f-8a1b-2c3d4e5f6a7c"}`), nil, DeadIDMismatch},
		"tombstone":            {nil, nil, DeadTombstone},
		"bare tombstone":       {nil, none, DeadTombstone},
		"empty":                {[]byte{}, none, DeadEmptyValue},
		"white space":          {[]byte(" \n"), nil, DeadEmptyValue},
		"raw bytes":            {[]byte{0, 1, 2, 0xff}, nil, DeadMalformedJSON},
		"no headers":           {[]byte(good), none, DeadMissingHeader},
		"invalid":              {[]byte(`{"message":5}`), nil, DeadInvalidEvent},
		"no object":            {[]byte(`null`), nil, DeadInvalidEvent},
		"a byte below the cap": {sized(most - 1), nil, ""},
		"the cap":              {sized(most), nil, ""},
		"a byte above the cap": {sized(most + 1), nil, DeadTooLarge},
	} {
		headers := c.headers
		if headers == nil {
			headers = envelope.Headers()
		}
		var ev Event
		got, err := DecodeRecord(new(Decoder), c.value, headers, most, &ev)
		var e *RecordError
		switch {
		case c.want == "" && (err != nil || got != envelope):
			t.Errorf("%s: %+v %v", name, got, err)
		case c.want != "" && (!errors.As(err, &e) || e.Reason != c.want || got != (Envelope{}) && got != envelope):
			t.Errorf("%s: %+v %v, want %s", name, got, err, c.want)
		}
	}
	_, err := DecodeRecord(new(Decoder), []byte(`{"message":5}`), envelope.Headers(), most, new(Event))
	var inner *Error
	if !errors.As(err, &inner) || inner.Field != "message" {
		t.Errorf("the cause is lost: %v", err)
	}
	d := Decoder{MaxBytes: 5}
	_, err = DecodeRecord(&d, []byte(good), envelope.Headers(), most, new(Event))
	var e *RecordError
	if !errors.As(err, &e) || e.Reason != DeadTooLarge {
		t.Errorf("a decoder's own limit: %v", err)
	}
}
