package rows

import (
	"encoding/binary"
	"time"
)

// Partitions is for each row the table partition that it goes into: the months since the year 0 of its id_time.
func (b *Block) Partitions() []int32 {
	out := make([]int32, b.Rows())
	for i, at := range b.idTime.Data {
		year, month, _ := time.Unix(int64(at), 0).UTC().Date()
		out[i] = int32(year*12 + int(month)) //nolint:gosec // 1970 to 2106
	}
	return out
}

// Weights is for each row how many bytes it takes, but for its tags.
func (b *Block) Weights() []int64 {
	out := make([]int64, b.Rows())
	for i := range out {
		out[i] = fixedBytes
	}
	for _, c := range b.texts {
		at := 0
		for i := range c.count - c.absent {
			n, size := binary.Uvarint(c.buf[at:])
			at += size + int(n)              //nolint:gosec // written by append
			out[i] += int64(size) + int64(n) //nolint:gosec // as above
		}
	}
	return out
}
