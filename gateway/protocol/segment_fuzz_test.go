package protocol

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/format"
)

// FuzzSegment: whatever a body holds, the splitter finds the items that encoding/json finds, the reader takes only
// strict JSON, a batch's context adds to an item and changes nothing in it, and the key is that of the body.
func FuzzSegment(f *testing.F) {
	for _, seed := range []string{
		`{"batch":[{"type":"track","event":"x","messageId":"m","userId":1}],"writeKey":"k","sentAt":"2026-11-23T12:00:00Z"}`,
		`{"batch":[{"event":"a"},{"event":"b","context":{}},{"event":"c","context":{"app":{"version":"9"}}},{},1,null],` +
			`"context":{"library":{"name":"go","version":"3"}, "app" : {"version":"1"}}}`,
		`{"type":"page","name":"Home","context":{"traits":{"email":"a@b"},"groupId":"g"},"sentAt":1,"writeKey":"k"}`,
		`{"name":"Home","type":null}`, ` [{"traits":{"email":"x"}},{"previousId":"p"}] `, `{}`, `[]`, ``, `{"batch":null}`,
		`{"batch":[{"event":"\ud800x"}],"context":{"\u0061":1}}`, `{"event":"x"`, `{"batch":[{"event":"x"}`, `{"writeKey":"a\u0062"}`,
		`{"batch":[` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `],"batch":[]}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, onPath bool) {
		const limit = 1 << 16
		if len(body) > limit {
			return
		}
		key := Segment.BodyKey(body)
		c := callsPool.Get().(*calls)
		defer c.release()
		var ev event.Event
		decoder := event.Decoder{Formats: format.All()}
		strict := decoder.DecodeAs(format.Segment, body, &ev) == nil
		if p := c.find(body); p != nil {
			assert.False(t, strict && onlyMembers(body) == "", "a call was refused: %s", p.Text)
			return
		}
		if key != nil && json.Valid(body) && bytes.Count(body, []byte("writeKey")) == 1 && body[0] == '{' {
			var has struct {
				WriteKey string `json:"writeKey"`
			}
			require.NoError(t, json.Unmarshal(body, &has))
			require.Equal(t, has.WriteKey, string(key))
		}
		if json.Valid(body) {
			require.Equal(t, countItems(t, body), len(c.items))
		}
		before := make([][]byte, len(c.items))
		copy(before, c.items)
		switch {
		case c.isBatch:
			if p := c.merge(limit, func(int) *ingest.Problem { return nil }); p != nil {
				return
			}
		case onPath && !c.hasType:
			c.giveType("page")
		}
		total := 0
		for i, item := range c.items {
			total += len(item)
			_ = c.withoutSentAt(item)
			was := decoder.DecodeAs(format.Segment, before[i], &ev) == nil
			if err := decoder.DecodeAs(format.Segment, item, &ev); err != nil {
				require.False(t, was, "%s was good, %s is not: %v", before[i], item, err)
				continue
			}
			require.True(t, json.Valid(item), "%q", item)
			require.True(t, json.Valid(ev.AppendPayload(nil, item)))
			require.NotEmpty(t, ev.MessageText())
			requireAdds(t, before[i], item)
		}
		require.LessOrEqual(t, total, 2*limit+len(c.items)*16)
	})
}

// onlyMembers returns the member that makes a call something else than a single call with members of its own, or "".
func onlyMembers(body []byte) string {
	var members map[string]json.RawMessage
	_ = json.Unmarshal(body, &members)
	if _, has := members["batch"]; has {
		return "batch"
	}
	for _, name := range []string{"writeKey", "api_key", "token", "integrations", "sentAt", "sent_at", "context"} {
		delete(members, name)
	}
	if len(members) == 0 {
		return "nothing"
	}
	return ""
}

// countItems returns how many items encoding/json finds in a valid body.
func countItems(t *testing.T, body []byte) int {
	t.Helper()
	var items []json.RawMessage
	if json.Unmarshal(body, &items) == nil {
		return len(items)
	}
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &members))
	batch, has := members["batch"]
	if !has {
		return 1
	}
	require.NoError(t, json.Unmarshal(batch, &items))
	return len(items)
}

// requireAdds fails the test unless an item has all that it had before, where it had it.
func requireAdds(t *testing.T, before, after []byte) {
	t.Helper()
	var was, is map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(before, &was))
	require.NoError(t, json.Unmarshal(after, &is))
	for name, value := range was {
		if name != "context" && name != "type" {
			require.Equal(t, string(value), string(is[name]), name)
		}
	}
	var context, now map[string]json.RawMessage
	if json.Unmarshal(was["context"], &context) == nil {
		require.NoError(t, json.Unmarshal(is["context"], &now))
		for name, value := range context {
			require.Equal(t, string(value), string(now[name]), name)
		}
	}
}
