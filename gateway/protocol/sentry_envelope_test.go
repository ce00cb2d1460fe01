package protocol

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// itemsOf returns the items of an envelope as "kind payload", and whether its header is well-formed.
func itemsOf(body string) (items []string, ok bool) {
	var r envelopeReader
	r.init()
	_, ok = r.begin([]byte(body))
	for it, more := r.next(); more; it, more = r.next() {
		items = append(items, it.kind.String()+" "+string(it.payload))
	}
	return items, ok
}

// TestEnvelopeItems: how an envelope is split into items.
func TestEnvelopeItems(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		"{}":                          nil,
		"{}\n":                        nil,
		"{}\n\n\r\n \n":               nil,
		"{}\n{\"type\":\"a\"}":        {"a "},
		"{}\n{\"type\":\"a\"}\n":      {"a "},
		"{}\n{\"type\":\"a\"}\n1":     {"a 1"},
		"{}\n{\"type\":\"a\"}\n1\n":   {"a 1"},
		"{}\n{\"type\":\"a\"}\n1\n\n": {"a 1"},
		"{}\n{\"type\":\"a\"}\n\n{\"type\":\"b\"}\n1":                   {"a ", "b 1"},
		"{}\r\n{\"type\":\"a\"}\r\n1\r\n{\"type\":\"b\"}\r\n2":          {"a 1", "b 2"},
		"{}\n{\"type\":\"a\",\"length\":0}\n\n{\"type\":\"b\"}\n1":      {"a ", "b 1"},
		"{}\n{\"type\":\"a\",\"length\":0}":                             {"a "},
		"{}\n{\"type\":\"a\",\"length\":3}\n1\n2":                       {"a 1\n2"},
		"{}\n{\"type\":\"a\",\"length\":3}\n1\n2\n":                     {"a 1\n2"},
		"{}\n{\"type\":\"a\",\"length\":4}\n1\n2\n":                     {"a 1\n2\n"},
		"{}\n{\"type\":\"a\",\"length\":5}\n1\n2\n":                     {"a 1", " "}, // beyond the end: a line, and then no header
		"{}\n{\"type\":\"a\",\"length\":1}\n12\n":                       {"a 12"},
		"{}\n{\"type\":\"a\",\"length\":1}\n1\r\n":                      {"a 1"},
		"{}\n{\"type\":\"a\",\"length\":1}\n1\r":                        {"a 1"},
		"{}\n{\"type\":\"a\",\"length\":1}\n1\r2\n":                     {"a 1\r2"},
		"{}\n{\"type\":\"a\",\"length\":\"2\"}\n12\n":                   {"a 12"},
		"{}\n{\"type\":\"a\",\"length\":-2}\n12\n":                      {"a 12"},
		"{}\n{\"type\":\"a\",\"length\":2.0}\n12\n":                     {"a 12"},
		"{}\n{\"type\":\"a\",\"length\":1e400}\n12\n":                   {"a 12"},
		"{}\n{\"type\":\"a\",\"length\":99999999999999999999}\n1\n":     {"a 1"},
		"{}\n{\"type\":\"a\",\"length\":null}\n1\n":                     {"a 1"},
		"{}\n{\"length\":1,\"type\":\"\\u0061\",\"x\":[]}\n1":           {"a 1"},
		"{}\n{\"type\":7}\n1":                                           {"7 1"},
		"{}\n{\"type\":[]}\n1":                                          {" 1"},
		"{}\n{\"type\":\"a\"\n1\n{\"type\":\"b\"}\n2":                   {" 1", "b 2"},
		"{}\n{\"type\":\"a\",\"type\":\"b\"}\n1":                        {" 1"},
		"{}\n{\"type\":\"a\",\"length\":1}x\n1\n2\n{\"type\":\"b\"}\n3": {" 1", " {\"type\":\"b\"}", " "},
		"{}\n[]\n1": {" 1"},
		"{}\nx":     {" "},
	} {
		got, ok := itemsOf(body)
		assert.True(t, ok, body)
		assert.Equal(t, want, got, "%q", body)
	}
	for _, body := range []string{"", "\n", "x", "[]", "{", `{"a":1`, "{}{}", "\xef\xbb\xbf{}", `{"event_id":"a","event_id":"b"}`} {
		_, ok := itemsOf(body)
		assert.False(t, ok, "%q", body)
	}
}

// TestEnvelopeHeader: the header gives an id and when it was sent.
func TestEnvelopeHeader(t *testing.T) {
	t.Parallel()
	var r envelopeReader
	r.init()
	h, ok := r.begin([]byte(`{"x":{},"sent_at":"2026-11-28T04:18:19.383722951Z","event_id":"efad4c3f-4770-472a-90f5-039ee5f1184e"}`))
	require.True(t, ok)
	id, is := uuidOf(h.eventID)
	assert.True(t, is)
	assert.Equal(t, "efad4c3f-4770-472a-90f5-039ee5f1184e", id.String())
	sent, understood := h.sentAt.Time()
	assert.True(t, understood)
	assert.Equal(t, time.Date(2026, 11, 28, 4, 18, 19, 383e6, time.UTC), sent)
	h, ok = r.begin([]byte(`{"sent_at":[1],"event_id":"00000000000000000000000000000000"}`))
	require.True(t, ok)
	_, is = uuidOf(h.eventID)
	assert.False(t, is)
	_, understood = h.sentAt.Time()
	assert.False(t, understood)
}

// TestEnvelopeTime: no envelope takes long, whatever it holds.
func TestEnvelopeTime(t *testing.T) {
	t.Parallel()
	const size = 5 << 20
	for _, part := range []string{
		"{}\n", "\n", "x\n", "{\"type\":\"a\",\"length\":9}\n", "{\"type\":\"a\",\"length\":5000000}\n", "{\"type\":\"a\"}\n\n",
		"{\"type\":\"a\",\"length\":1}\n\n", "{", "[", "\"", "{\"a\":", "\r", "{\"\\ud800\":1,",
	} {
		start := time.Now()
		items, _ := itemsOf("{}\n" + strings.Repeat(part, size/len(part)))
		took := time.Since(start)
		assert.Less(t, took, 10*time.Second, fmt.Sprintf("%q: %d items", part, len(items)))
	}
}
