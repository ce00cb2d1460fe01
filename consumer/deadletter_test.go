package consumer

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"

	"sluice/internal/event"
)

// A dead letter is the record as it was, and headers that say what was wrong with it and where it lay.
func TestDeadLetterKeepsTheRecord(t *testing.T) {
	r := &record{
		offset: 42, key: []byte("key"), value: []byte("\x00\xff"),
		headers: []event.Header{{Key: "v", Value: []byte("1")}, {Key: "odd", Value: []byte{0xFF}}, {Key: "odd"}, {Key: "empty", Value: []byte{}}},
	}
	letter := newDeadLetter(r, &event.RecordError{Reason: event.DeadMissingHeader, Detail: "the header project is missing"})
	spoil(r.key) // the record's bytes are reused
	spoil(r.value)
	spoil(r.headers[0].Value)
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	got := letter.record("events", 3, at)
	if key, value := bytesOf(t, got.Key), bytesOf(t, got.Value); string(key) != "key" || string(value) != "\x00\xff" {
		t.Errorf("key %q, value %q", key, value)
	}
	want := []kafka.Header{
		{Key: "v", Value: []byte("1")}, {Key: "odd", Value: []byte{0xFF}}, {Key: "odd"}, {Key: "empty", Value: []byte{}},
		{Key: "dead-reason", Value: []byte("missing_header")},
		{Key: "dead-error", Value: []byte("missing_header: the header project is missing")},
		{Key: "dead-topic", Value: []byte("events")},
		{Key: "dead-partition", Value: []byte("3")},
		{Key: "dead-offset", Value: []byte("42")},
		{Key: "dead-at", Value: []byte("1795435200000")},
	}
	if len(got.Headers) != len(want) {
		t.Fatalf("%d headers, want %d", len(got.Headers), len(want))
	}
	for i, h := range got.Headers {
		if h.Key != want[i].Key || !bytes.Equal(h.Value, want[i].Value) || (h.Value == nil) != (want[i].Value == nil) {
			t.Errorf("header %d: %s=%q, want %s=%q", i, h.Key, h.Value, want[i].Key, want[i].Value)
		}
	}
}

func bytesOf(t *testing.T, b kafka.Bytes) []byte {
	t.Helper()
	if b == nil {
		return nil
	}
	data, err := kafka.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Null and empty are not the same on Kafka, and a dead letter keeps the difference.
func TestDeadLetterOfNull(t *testing.T) {
	cause := errors.New("x")
	null := newDeadLetter(&record{}, cause)
	if r := null.record("events", 0, time.Now()); r.Key != nil || r.Value != nil {
		t.Error("null became something")
	}
	empty := newDeadLetter(&record{key: []byte{}, value: []byte{}}, cause)
	if r := empty.record("events", 0, time.Now()); r.Key == nil || r.Value == nil {
		t.Error("empty became null")
	}
}

// The text is cut at 1 KiB, and not inside a character.
func TestDeadErrorIsCut(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int
	}{
		{"below", strings.Repeat("a", 1023), 1023},
		{"at", strings.Repeat("a", 1024), 1024},
		{"above", strings.Repeat("a", 1025), 1024},
		{"two bytes over the edge", strings.Repeat("a", 1023) + "é", 1023},
		{"four bytes over the edge", strings.Repeat("a", 1022) + "😀", 1022},
		{"four bytes up to the edge", strings.Repeat("a", 1020) + "😀a", 1024},
		{"bytes that are no characters", strings.Repeat("\x80", 1025), 1024},
	} {
		t.Run(c.name, func(t *testing.T) {
			letter := newDeadLetter(&record{}, errors.New(c.text))
			if len(letter.text) != c.want || !strings.HasPrefix(c.text, letter.text) {
				t.Errorf("%d bytes, want %d", len(letter.text), c.want)
			}
			if utf8.ValidString(c.text) && !utf8.ValidString(letter.text) {
				t.Error("cut inside a character")
			}
		})
	}
}
