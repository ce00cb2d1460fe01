package rows

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"
)

// textColumn is a column of strings, kept as ClickHouse receives them: each behind its length. The column of ch-go
// keeps two numbers beside every string, which are larger than a short string.
//
// Most columns are empty in most rows. Empty strings at the end of the column are only counted, until another string
// follows or the column is sent.
type textColumn struct {
	buf    []byte
	count  int
	absent int // empty strings at the end, which are not in buf yet
	expect int // bytes that the column may come to: see sizes
}

// Type, Rows, EncodeColumn, WriteColumn and Reset are what ch-go needs to send the column.
func (c *textColumn) Type() proto.ColumnType { return proto.ColumnTypeString }

// Rows is the number of strings.
func (c *textColumn) Rows() int { return c.count }

// EncodeColumn appends the column to a buffer.
func (c *textColumn) EncodeColumn(b *proto.Buffer) { c.fill(); b.Buf = append(b.Buf, c.buf...) }

// WriteColumn lends the column to a writer, without a copy.
func (c *textColumn) WriteColumn(w *proto.Writer) { c.fill(); w.ChainWrite(c.buf) }

// Reset removes all strings and keeps the memory.
func (c *textColumn) Reset() { c.buf, c.count, c.absent = c.buf[:0], 0, 0 }

// size is the size of the column when it is sent, in bytes.
func (c *textColumn) size() int { return len(c.buf) + c.absent }

// fill writes the counted empty strings into buf.
func (c *textColumn) fill() {
	if c.absent == 0 {
		return
	}
	if cap(c.buf)-len(c.buf) < c.absent {
		c.buf = enlarge(c.buf, c.absent, c.expect)
	}
	end := len(c.buf) + c.absent
	clear(c.buf[len(c.buf):end])
	c.buf, c.absent = c.buf[:end], 0
}

func (c *textColumn) append(v []byte) {
	c.count++
	if len(v) == 0 {
		c.absent++
		return
	}
	if c.absent > 0 {
		c.fill()
	}
	if cap(c.buf)-len(c.buf) < binary.MaxVarintLen64+len(v) {
		c.buf = enlarge(c.buf, binary.MaxVarintLen64+len(v), c.expect)
	}
	if len(v) < 0x80 { // most are short
		c.buf = append(c.buf, byte(len(v)))
	} else {
		c.buf = binary.AppendUvarint(c.buf, uint64(len(v)))
	}
	c.buf = append(c.buf, v...)
}

func (c *textColumn) appendString(v string) {
	c.fill()
	if cap(c.buf)-len(c.buf) < binary.MaxVarintLen64+len(v) {
		c.buf = enlarge(c.buf, binary.MaxVarintLen64+len(v), c.expect)
	}
	c.buf = binary.AppendUvarint(c.buf, uint64(len(v)))
	c.buf = append(c.buf, v...)
	c.count++
}

// isEmpty reports whether all strings are empty.
func (c *textColumn) isEmpty() bool { return c.size() == c.count }

// ends appends to out where each string ends in buf. It leaves out the counted empty strings. It changes nothing, so
// that several goroutines may call it.
func (c *textColumn) ends(out []int) []int {
	at := 0
	for range c.count - c.absent {
		n, size := binary.Uvarint(c.buf[at:])
		at += size + int(n) // written by append
		out = append(out, at)
	}
	return out
}

// row is one string. It walks over all strings before.
func (c *textColumn) row(i int) []byte {
	if i >= c.count-c.absent {
		return nil
	}
	at := 0
	for {
		n, size := binary.Uvarint(c.buf[at:])
		if i == 0 {
			return c.buf[at+size : at+size+int(n)] // written by append
		}
		at += size + int(n) // as above
		i--
	}
}

// pick appends some rows of another column, whose numbers must be ascending.
func (c *textColumn) pick(from *textColumn, rows []int32) {
	c.fill()
	ends := from.ends(make([]int, 0, from.count))
	for _, i := range rows {
		if int(i) >= len(ends) {
			c.append(nil)
			continue
		}
		start := 0
		if i > 0 {
			start = ends[i-1]
		}
		c.buf = append(c.buf, from.buf[start:ends[i]]...)
		c.count++
	}
}

// tagsColumn is the column of tags: a map for each row.
type tagsColumn struct {
	ends         proto.ColUInt64 // the number of tags up to the end of each row
	keys, values textColumn
}

// Type, Rows, EncodeColumn, WriteColumn and Reset are what ch-go needs to send the column.
func (c *tagsColumn) Type() proto.ColumnType {
	return proto.ColumnTypeMap.Sub(proto.ColumnTypeString, proto.ColumnTypeString)
}

// Rows is the number of maps.
func (c *tagsColumn) Rows() int { return len(c.ends) }

// EncodeColumn appends the column to a buffer.
func (c *tagsColumn) EncodeColumn(b *proto.Buffer) {
	c.ends.EncodeColumn(b)
	c.keys.EncodeColumn(b)
	c.values.EncodeColumn(b)
}

// WriteColumn lends the column to a writer, without a copy.
func (c *tagsColumn) WriteColumn(w *proto.Writer) {
	c.ends.WriteColumn(w)
	c.keys.WriteColumn(w)
	c.values.WriteColumn(w)
}

// Reset removes all maps and keeps the memory.
func (c *tagsColumn) Reset() {
	c.ends.Reset()
	c.keys.Reset()
	c.values.Reset()
}

// endRow ends the map of a row.
func (c *tagsColumn) endRow() { c.ends = append(c.ends, uint64(c.keys.count)) } // a count

func (c *tagsColumn) pick(from *tagsColumn, rows []int32) {
	var tags []int32
	for _, i := range rows {
		start := uint64(0)
		if i > 0 {
			start = from.ends[i-1]
		}
		for j := start; j < from.ends[i]; j++ {
			tags = append(tags, int32(j)) // a count
		}
		c.ends = append(c.ends, uint64(c.keys.count+len(tags))) // a count
	}
	c.keys.pick(&from.keys, tags)
	c.values.pick(&from.values, tags)
}
