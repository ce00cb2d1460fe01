package rows

import (
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encoded is a block as ClickHouse receives it.
func encoded(t *testing.T, b *Block) []byte {
	t.Helper()
	var buf proto.Buffer
	columns := b.Columns()
	require.NoError(t, (proto.Block{Columns: len(columns), Rows: b.Rows()}).EncodeRawBlock(&buf, 0, columns))
	return buf.Buf
}

// Blocks that were joined are the same as one block that has taken in all of the rows, whichever columns are empty at
// the ends of the parts. The parts stay as they were.
func TestAppendBlock(t *testing.T) {
	t.Parallel()
	events := []string{
		`{"message":"a"}`, `{"message":"b","tags":{"x":"1","y":"2"},"release":"r"}`, `{"message":"c","user":{"id":"u"}}`,
		`{"message":"d"}`, `{"message":"e","tags":{"z":"3"},"environment":"prod"}`,
	}
	for cut := range len(events) + 1 {
		for end := cut; end <= len(events); end++ {
			whole, joined := New(), New()
			parts := []*Block{New(), New(), New()}
			for i, value := range events {
				part := 0
				if i >= cut {
					part++
				}
				if i >= end {
					part++
				}
				appendEvent(t, whole, int64(i), value)
				appendEvent(t, parts[part], int64(i), value)
			}
			for _, part := range parts {
				before := encoded(t, part)
				joined.AppendBlock(part)
				assert.Equal(t, before, encoded(t, part))
			}
			require.NoError(t, joined.Check())
			assert.Equal(t, encoded(t, whole), encoded(t, joined), "cut at %d and %d", cut, end)
			assert.Equal(t, whole.Offsets(), joined.Offsets())
		}
	}
}
