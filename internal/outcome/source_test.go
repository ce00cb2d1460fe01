package outcome

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
)

// TestSourceOfRange: a range can be read from its source, whatever its numbers are within their bounds, and from no
// other source.
func TestSourceOfRange(t *testing.T) {
	for _, r := range []Range{
		{Topic: "events"},
		{Topic: "events", Partition: 1<<14 - 1, First: 1<<48 - 1, Last: 1<<48 - 1 + 1<<24 - 1},
		{Topic: "other", Partition: 11, First: 1_234_567, Last: 1_334_566},
	} {
		id := SourceOfRange(r, "token")
		got, ok := RangeOf(id, r.Topic)
		assert.True(t, ok)
		assert.Equal(t, r, got)
		assert.Equal(t, uuid.Version(8), id.Version())
		assert.Equal(t, uuid.RFC4122, id.Variant())
		assert.Equal(t, id, SourceOfRange(r, "token"), "each time the same")
		assert.NotEqual(t, id, SourceOfRange(r, "another"), "a recreated topic has other content at the same offsets")
		_, ok = RangeOf(id, r.Topic+"2")
		assert.False(t, ok)
		assert.True(t, IsRange(id))
	}
	long, _ := RangeOf(SourceOfRange(Range{Topic: "events", Last: 1 << 24}, ""), "events")
	assert.EqualValues(t, 1<<24-1, long.Last, "a longer one is cut")
	_, ok := RangeOf(SourceOf("dead/events/0/1/2"), "events")
	assert.False(t, ok)
}
