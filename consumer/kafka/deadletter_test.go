package kafka

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// A dead letter is the record as it was, with headers that say what was wrong and where the record was.
func TestDeadLetterKeepsTheRecord(t *testing.T) {
	t.Parallel()
	r := &recordbatch.Record{
		Offset: 42, Key: []byte("key"), Value: []byte("\x00\xff"),
		Headers: []event.Header{{Key: "v", Value: []byte("1")}, {Key: "odd", Value: []byte{0xFF}}, {Key: "odd"}, {Key: "empty", Value: []byte{}}},
	}
	letter := NewDeadLetter(r, event.DeadMissingHeader, "missing_header: the header project is missing")
	clear(r.Key) // the record's bytes are used again
	clear(r.Value)
	clear(r.Headers[0].Value)
	got := letter.record("events", 3, time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	assert.Equal(t, "key", string(bytesOf(t, got.Key)))
	assert.Equal(t, "\x00\xff", string(bytesOf(t, got.Value)))
	assert.Equal(t, []kafka.Header{
		{Key: "v", Value: []byte("1")}, {Key: "odd", Value: []byte{0xFF}}, {Key: "odd"}, {Key: "empty", Value: []byte{}},
		{Key: "dead-reason", Value: []byte("missing_header")},
		{Key: "dead-error", Value: []byte("missing_header: the header project is missing")},
		{Key: "dead-topic", Value: []byte("events")},
		{Key: "dead-partition", Value: []byte("3")},
		{Key: "dead-offset", Value: []byte("42")},
		{Key: "dead-at", Value: []byte("1795435200000")},
	}, got.Headers)
}

func bytesOf(t *testing.T, b kafka.Bytes) []byte {
	t.Helper()
	if b == nil {
		return nil
	}
	data, err := kafka.ReadAll(b)
	require.NoError(t, err)
	return data
}

// Null and empty differ in Kafka, and in a dead letter.
func TestDeadLetterOfNull(t *testing.T) {
	t.Parallel()
	null := letter(recordbatch.Record{})
	r := null.record("events", 0, time.Now())
	assert.Nil(t, r.Key)
	assert.Nil(t, r.Value)
	empty := letter(recordbatch.Record{Key: []byte{}, Value: []byte{}})
	r = empty.record("events", 0, time.Now())
	assert.NotNil(t, r.Key)
	assert.NotNil(t, r.Value)
}

// The text is cut at 1 KiB, and not within a character.
func TestDeadErrorIsCut(t *testing.T) {
	t.Parallel()
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
		text := NewDeadLetter(&recordbatch.Record{}, event.DeadInvalidEvent, c.text).Text
		assert.Len(t, text, c.want, c.name)
		assert.True(t, strings.HasPrefix(c.text, text), c.name)
		if utf8.ValidString(c.text) {
			assert.True(t, utf8.ValidString(text), c.name)
		}
	}
}
