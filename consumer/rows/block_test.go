package rows

import (
	"fmt"
	"testing"
)

// A block that is used again contains nothing of the insert before.
func TestBlockIsReused(t *testing.T) {
	b := New()
	for round := range 3 {
		b.Reset()
		if b.Rows() != 0 {
			t.Fatalf("%d rows after reset", b.Rows())
		}
		for i := range 10 {
			offset := int64(100*round + i)
			appendEvent(t, b, offset, fmt.Sprintf(`{"message":"event %d","tags":{"round":"%d"}}`, offset, round))
		}
		if err := b.Check(); err != nil {
			t.Error(err)
		}
		if key, value := b.tags.keys.row(9), b.tags.values.row(9); b.tags.keys.count != 10 || string(key) != "round" || string(value) != fmt.Sprint(round) {
			t.Errorf("%d tags in round %d, the last %s=%s", b.tags.keys.count, round, key, value)
		}
	}
}

// Check finds a column that has lost a value.
func TestCheckBlock(t *testing.T) {
	b := New()
	appendEvent(t, b, 1, `{"message":"m"}`)
	b.offset = b.offset[:0]
	if err := b.Check(); err == nil {
		t.Error("no error")
	}
}
