package rows

import (
	"bytes"
	"testing"

	"github.com/ClickHouse/ch-go/proto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encoded is a block as ClickHouse receives it.
func encoded(t *testing.T, b *Block) []byte {
	t.Helper()
	return encodedAs(t, Columns([]*Block{b}), b.Rows())
}

func encodedAs(t *testing.T, columns proto.Input, rows int) []byte {
	t.Helper()
	var buf proto.Buffer
	require.NoError(t, (proto.Block{Columns: len(columns), Rows: rows}).EncodeRawBlock(&buf, 0, columns))
	return buf.Buf
}

// written is what a connection is sent of the columns.
func written(t *testing.T, columns proto.Input) []byte {
	t.Helper()
	var out bytes.Buffer
	w := proto.NewWriter(&out, new(proto.Buffer))
	for _, c := range columns {
		c.Data.WriteColumn(w)
	}
	_, err := w.Flush()
	require.NoError(t, err)
	return out.Bytes()
}

// Several blocks are sent as one block that has taken in all of the rows, whichever columns are empty at the ends of the
// parts, and however often.
func TestColumnsOfBlocks(t *testing.T) {
	t.Parallel()
	events := []string{
		`{"message":"a"}`, `{"message":"b","tags":{"x":"1","y":"2"},"release":"r"}`, `{"message":"c","user":{"id":"u"}}`,
		`{"message":"d"}`, `{"message":"e","tags":{"z":"3"},"environment":"prod"}`,
	}
	for cut := range len(events) + 1 {
		for end := cut; end <= len(events); end++ {
			whole := New()
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
			before := Columns(parts)
			require.Equal(t, len(events), Count(parts))
			require.Equal(t, whole.Bytes(), Bytes(parts))
			assert.Equal(t, written(t, Columns([]*Block{whole})), written(t, before), "cut at %d and %d", cut, end)
			assert.Equal(t, encoded(t, whole), encodedAs(t, Columns(parts), Count(parts)), "cut at %d and %d", cut, end)
			assert.Equal(t, encoded(t, whole), encodedAs(t, before, Count(parts)), "again, cut at %d and %d", cut, end)
		}
	}
}
