package rows

import (
	"slices"

	"github.com/ClickHouse/ch-go/proto"
)

// Count is the number of rows of some blocks.
func Count(blocks []*Block) (n int) {
	for _, b := range blocks {
		n += b.Rows()
	}
	return n
}

// Bytes is the size of the rows of some blocks in memory, in bytes.
func Bytes(blocks []*Block) (n int) {
	for _, b := range blocks {
		n += b.Bytes()
	}
	return n
}

// Columns returns the columns to insert of some blocks, whose rows follow each other, as [Block.Columns] does for one.
// There must be a block. Columns copies no text: the blocks must stay as they are until the columns are sent, and only
// one goroutine may use them.
func Columns(blocks []*Block) proto.Input {
	if len(blocks) == 1 {
		return blocks[0].Columns()
	}
	var out proto.Input
	for i, first := range blocks[0].input {
		c := joined{}
		empty := true
		for _, b := range blocks {
			c.parts = append(c.parts, b.input[i].Data)
			empty = empty && isEmpty(b.input[i].Data)
		}
		switch {
		case empty:
		case first.Name == "tags":
			out = append(out, proto.InputColumn{Name: first.Name, Data: joinTags(c.parts)})
		default:
			out = append(out, proto.InputColumn{Name: first.Name, Data: c})
		}
	}
	return out
}

// joined is a column of several blocks. Its methods are what ch-go needs to send it.
type joined struct{ parts []proto.ColInput }

// Type is the type of each part.
func (c joined) Type() proto.ColumnType { return c.parts[0].Type() }

// Rows is the number of values.
func (c joined) Rows() (n int) {
	for _, part := range c.parts {
		n += part.Rows()
	}
	return n
}

// EncodeColumn appends the column to a buffer.
func (c joined) EncodeColumn(b *proto.Buffer) {
	for _, part := range c.parts {
		part.EncodeColumn(b)
	}
}

// WriteColumn lends the column to a writer, without a copy.
func (c joined) WriteColumn(w *proto.Writer) {
	for _, part := range c.parts {
		part.WriteColumn(w)
	}
}

// joinedTags is a column of tags of several blocks. It is sent as where each row ends, and then all keys and all values.
type joinedTags struct{ column, sent joined }

func joinTags(parts []proto.ColInput) joinedTags {
	out := joinedTags{column: joined{parts}}
	ends := make(proto.ColUInt64, 0, out.Rows())
	var keys, values []proto.ColInput
	before := uint64(0)
	for _, part := range parts {
		tags := part.(*tagsColumn) //nolint:forcetypeassert // it is the column of tags
		for _, end := range tags.ends {
			ends = append(ends, before+end)
		}
		before += uint64(tags.keys.count) //nolint:gosec // a count
		keys, values = append(keys, &tags.keys), append(values, &tags.values)
	}
	out.sent.parts = slices.Concat([]proto.ColInput{&ends}, keys, values)
	return out
}

// Type is the type of a column of tags.
func (c joinedTags) Type() proto.ColumnType { return c.column.Type() }

// Rows is the number of maps.
func (c joinedTags) Rows() int { return c.column.Rows() }

// EncodeColumn appends the column to a buffer.
func (c joinedTags) EncodeColumn(b *proto.Buffer) { c.sent.EncodeColumn(b) }

// WriteColumn lends the column to a writer, without a copy.
func (c joinedTags) WriteColumn(w *proto.Writer) { c.sent.WriteColumn(w) }
