package rows

import (
	"encoding/binary"

	"github.com/ClickHouse/ch-go/proto"
)

// textColumn is a column of strings that is kept as it goes over the wire: each with its length before it. ch-go's own keeps
// two numbers beside every string, which for short and absent ones is more than the string.
//
// Most columns have nothing in most rows. The last of those are only counted, until something comes or the column is sent.
type textColumn struct {
	buf    []byte
	count  int
	absent int // how many of these are empty and not in buf yet: the last ones
	expect int // bytes that it may come to: see sizes
}

// Type, Rows, EncodeColumn, WriteColumn and Reset are how ch-go sends it.
func (c *textColumn) Type() proto.ColumnType { return proto.ColumnTypeString }

// Rows is how many strings there are.
func (c *textColumn) Rows() int { return c.count }

// EncodeColumn appends all of it.
func (c *textColumn) EncodeColumn(b *proto.Buffer) { c.fill(); b.Buf = append(b.Buf, c.buf...) }

// WriteColumn lends all of it.
func (c *textColumn) WriteColumn(w *proto.Writer) { c.fill(); w.ChainWrite(c.buf) }

// Reset empties it and keeps the memory.
func (c *textColumn) Reset() { c.buf, c.count, c.absent = c.buf[:0], 0, 0 }

// size is how many bytes it takes, or will.
func (c *textColumn) size() int { return len(c.buf) + c.absent }

// fill puts the absent ones into buf.
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

func (c *textColumn) Append(v []byte) {
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

// isEmpty says whether all strings are.
func (c *textColumn) isEmpty() bool { return c.size() == c.count }

// ends appends to out where each string ends in buf, without the absent ones. It changes nothing: several may ask at a time.
func (c *textColumn) ends(out []int) []int {
	at := 0
	for range c.count - c.absent {
		n, size := binary.Uvarint(c.buf[at:])
		at += size + int(n) //nolint:gosec // written by append
		out = append(out, at)
	}
	return out
}

// row is one string. It walks there: for few rows only.
func (c *textColumn) row(i int) []byte {
	if i >= c.count-c.absent {
		return nil
	}
	at := 0
	for {
		n, size := binary.Uvarint(c.buf[at:])
		if i == 0 {
			return c.buf[at+size : at+size+int(n)] //nolint:gosec // written by append
		}
		at += size + int(n) //nolint:gosec // as above
		i--
	}
}

// pick appends rows of another column, in ascending order.
func (c *textColumn) pick(from *textColumn, rows []int32) {
	c.fill()
	ends := from.ends(make([]int, 0, from.count))
	for _, i := range rows {
		if int(i) >= len(ends) {
			c.Append(nil)
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

// tagsColumn is the map of tags.
type tagsColumn struct {
	ends         proto.ColUInt64 // how many tags there are up to and with each row
	keys, values textColumn
}

// Type, Rows, EncodeColumn, WriteColumn and Reset are how ch-go sends it.
func (c *tagsColumn) Type() proto.ColumnType {
	return proto.ColumnTypeMap.Sub(proto.ColumnTypeString, proto.ColumnTypeString)
}

// Rows is how many maps there are.
func (c *tagsColumn) Rows() int { return len(c.ends) }

// EncodeColumn appends all of it.
func (c *tagsColumn) EncodeColumn(b *proto.Buffer) {
	c.ends.EncodeColumn(b)
	c.keys.EncodeColumn(b)
	c.values.EncodeColumn(b)
}

// WriteColumn lends all of it.
func (c *tagsColumn) WriteColumn(w *proto.Writer) {
	c.ends.WriteColumn(w)
	c.keys.WriteColumn(w)
	c.values.WriteColumn(w)
}

// Reset empties it and keeps the memory.
func (c *tagsColumn) Reset() {
	c.ends.Reset()
	c.keys.Reset()
	c.values.Reset()
}

// end finishes a row's map.
func (c *tagsColumn) end() { c.ends = append(c.ends, uint64(c.keys.count)) } //nolint:gosec // a count

func (c *tagsColumn) pick(from *tagsColumn, rows []int32) {
	var tags []int32
	for _, i := range rows {
		start := uint64(0)
		if i > 0 {
			start = from.ends[i-1]
		}
		for j := start; j < from.ends[i]; j++ {
			tags = append(tags, int32(j)) //nolint:gosec // a count
		}
		c.ends = append(c.ends, uint64(c.keys.count+len(tags))) //nolint:gosec // a count
	}
	c.keys.pick(&from.keys, tags)
	c.values.pick(&from.values, tags)
}
