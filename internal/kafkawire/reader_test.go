package kafkawire_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"sluice/internal/kafkawire"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	b := []byte{0xFE}
	b = binary.BigEndian.AppendUint16(b, 0xFFFE)
	b = binary.BigEndian.AppendUint32(b, 70_000)
	b = binary.BigEndian.AppendUint64(b, 1<<40)
	for _, v := range []int64{0, -1, 63, 64, -8193, math.MaxInt64, math.MinInt64} {
		b = binary.AppendVarint(b, v)
	}
	b = binary.AppendUvarint(b, math.MaxUint64)
	r := kafkawire.Reader{Rest: b}
	assert.Equal(t, int8(-2), r.Int8())
	assert.Equal(t, int16(-2), r.Int16())
	assert.Equal(t, int32(70_000), r.Int32())
	assert.Equal(t, int64(1<<40), r.Int64())
	for _, v := range []int64{0, -1, 63, 64, -8193, math.MaxInt64, math.MinInt64} {
		assert.Equal(t, v, r.Varint())
	}
	assert.Equal(t, uint64(math.MaxUint64), r.Uvarint())
	assert.Empty(t, r.Rest)
	assert.False(t, r.Short)
}

// After the first field that does not fit, everything is zero, also what would have fitted.
func TestShort(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*kafkawire.Reader){
		"bytes": func(r *kafkawire.Reader) { r.Bytes(4) }, "negative": func(r *kafkawire.Reader) { r.Bytes(-1) },
		"int32": func(r *kafkawire.Reader) { r.Int32() }, "int64": func(r *kafkawire.Reader) { r.Int64() },
		"varint": func(r *kafkawire.Reader) { r.Varint() }, "uvarint": func(r *kafkawire.Reader) { r.Uvarint() },
		"compact": func(r *kafkawire.Reader) { r.SkipCompact() }, "tags": func(r *kafkawire.Reader) { r.SkipTags() },
	} {
		r := kafkawire.Reader{Rest: []byte{0xFF, 0xFF, 0xFF}}
		read(&r)
		assert.True(t, r.Short, name)
		assert.Zero(t, r.Int8(), name)
	}
}

func TestVarintBytes(t *testing.T) {
	t.Parallel()
	b := append(binary.AppendVarint(nil, 2), "ab"...)
	b = binary.AppendVarint(b, 0)
	b = binary.AppendVarint(b, -1)
	r := kafkawire.Reader{Rest: b}
	assert.Equal(t, []byte("ab"), r.VarintBytes())
	assert.Equal(t, []byte{}, r.VarintBytes())
	assert.Nil(t, r.VarintBytes())
	assert.False(t, r.Short)
}

func TestSkipCompactAndTags(t *testing.T) {
	t.Parallel()
	r := kafkawire.Reader{Rest: []byte{3, 'a', 'b', 0, 1, 7, 2, 'x', 'y', 9}}
	r.SkipCompact() // "ab"
	r.SkipCompact() // null
	r.SkipTags()    // one, number 7, of two bytes
	assert.Equal(t, int8(9), r.Int8())
	assert.False(t, r.Short)
}
