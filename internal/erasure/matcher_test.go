package erasure

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"sluice/internal/event"
)

// TestMatcher: a record is the user's by its event. Where it holds no event, it is the user's if anything in it is the
// user's id or address.
func TestMatcher(t *testing.T) {
	salt := NewSalt()
	m := NewMatcher(NewList([]Mark{
		NewMark("p", User, "42", salt, at, time.Hour), NewMark("p", Email, "u@example.org", salt, at, time.Hour),
	}))
	headers := func(received time.Time) []event.Header {
		e := event.Envelope{Project: "p", ID: uuid.Must(uuid.NewV7()), ReceivedAt: received}
		return e.Headers()
	}
	for value, want := range map[string]bool{
		`{"message":"x","user":{"id":"42"}}`:                    true,
		`{"message":"x","user":{"id":42}}`:                      true,
		`{"message":"x","user":{"email":"U@example.org"}}`:      true,
		`{"message":"42","user":{"id":"43"},"tags":{"a":"42"}}`: false, // an event says whose it is
		`{"level":"loud","user":{"id":42}}`:                     true,
		`{"level":"loud","user":{"id":"\u0034\u0032"}}`:         true,
		`{"level":"loud","user":{"id":"43"}}`:                   false,
		`{"user":{"id":"42"`:                                    true,
		`"user":{"id":"42"}}`:                                   true, // a quote too few
		`x"user":{"id":"u@example.org`:                          true,
		`{"user":{"id":"421"`:                                   false,
		``:                                                      false,
		`"`:                                                     false,
		`\"42`:                                                  true,
	} {
		assert.Equal(t, want, m.Covers("p", []byte(value), headers(at)), value)
		assert.False(t, m.Covers("q", []byte(value), headers(at)), value)
		if value != `{"message":"42","user":{"id":"43"},"tags":{"a":"42"}}` {
			assert.Equal(t, want, m.Covers("p", []byte(value), nil), "no header says when: %s", value)
		}
	}
	broken := []byte(`{"user":{"id":"42"`)
	assert.False(t, m.Covers("p", broken, headers(at.Add(clockSlack+time.Millisecond))), "the user came back")
	whole := NewMatcher(NewList([]Mark{NewMark("p", Project, "", salt, at, 0)}))
	assert.True(t, whole.Covers("p", nil, headers(at)))
	assert.False(t, whole.Covers("p", nil, headers(at.Add(clockSlack+time.Millisecond))))
}

func FuzzMatcher(f *testing.F) {
	f.Add([]byte(`{"user":{"id":"4\"2"`))
	m := NewMatcher(NewList([]Mark{NewMark("p", User, "42", NewSalt(), at, 0)}))
	f.Fuzz(func(t *testing.T, value []byte) { m.Covers("p", value, nil) })
}
