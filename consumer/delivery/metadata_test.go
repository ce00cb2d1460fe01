package delivery

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is encoded is decoded the same, and fits where Kafka stores it even with the largest numbers.
func TestMetadata(t *testing.T) {
	t.Parallel()
	for n := range MaxRanges + 1 {
		r := NewRanges(1<<61, nil, Origin{}, -1)
		for range n {
			s := rangeOf(r.End(), r.End()+1<<39)
			s.Hash, s.Records, s.Split = ^uint64(0), 1<<39, Split(n%3)
			require.NoError(t, r.Record(s))
		}
		text := r.Metadata()
		recorded, _, ok := DecodeMetadata(r.head, text)
		assert.True(t, ok, "%d ranges", n)
		assert.Len(t, recorded, n)
		if n > 0 {
			assert.Equal(t, r.ranges, recorded)
		}
		assert.Less(t, len(text), maxMetadata/4, "%d ranges", n)
	}
}

// Metadata that is not ours, broken, of another version or of another offset is not ok. No metadata is ok.
func TestMetadataOfOthers(t *testing.T) {
	t.Parallel()
	r := NewRanges(7, nil, Origin{}, -1)
	require.NoError(t, r.Record(rangeOf(7, 9)))
	good := r.Metadata()
	_, _, ok := DecodeMetadata(7, good)
	require.True(t, ok)
	for name, text := range map[string]string{
		"another program's":    "committed by kafka-python",
		"another version":      "sluice/2:" + strings.TrimPrefix(good, metadataPrefix),
		"cut":                  good[:len(good)-1],
		"only the prefix":      metadataPrefix,
		"a byte changed":       good[:len(metadataPrefix)+2] + "_" + good[len(metadataPrefix)+3:],
		"something behind":     good + "A",
		"longer than possible": metadataPrefix + strings.Repeat("A", maxMetadata),
	} {
		recorded, _, ok := DecodeMetadata(7, text)
		assert.False(t, ok, name)
		assert.Nil(t, recorded, name)
	}
	_, _, ok = DecodeMetadata(8, good)
	assert.False(t, ok, "another offset's")
	recorded, _, ok := DecodeMetadata(8, "")
	assert.True(t, ok)
	assert.Nil(t, recorded)
}

// A newer consumer may write more about a range, and more behind the ranges: this one reads what it knows. A flag that
// it does not know makes it ask the table.
func TestMetadataOfNewer(t *testing.T) {
	t.Parallel()
	write := func(flags uint64) string {
		s := rangeOf(7, 9)
		one := binary.AppendUvarint(nil, 0)
		one = binary.AppendUvarint(one, 2)
		one = binary.LittleEndian.AppendUint64(one, s.Hash)
		one = binary.AppendUvarint(one, 3)
		one = binary.AppendVarint(one, sealed.UnixMilli())
		one = append(binary.AppendUvarint(one, flags), "more about the range"...)
		b := binary.AppendUvarint(binary.AppendVarint(nil, 7), 1)
		b = append(binary.AppendUvarint(b, uint64(len(one))), one...)
		return wrapped(append(b, "more behind the ranges"...))
	}
	recorded, _, ok := DecodeMetadata(7, write(0))
	assert.True(t, ok)
	assert.Equal(t, []Range{rangeOf(7, 9)}, recorded)
	recorded, _, ok = DecodeMetadata(7, write(1<<5))
	assert.True(t, ok)
	require.Len(t, recorded, 1)
	assert.Equal(t, SplitForRow, recorded[0].Split)
}

// wrapped adds what is around the fields of metadata.
func wrapped(b []byte) string {
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
	return metadataPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// The metadata of this version has not changed since the first one: brokers have it.
func TestMetadataGolden(t *testing.T) {
	t.Parallel()
	r := NewRanges(7, nil, Origin{}, -1)
	require.NoError(t, r.Record(rangeOf(7, 9)))
	require.NoError(t, r.Record(rangeOf(10, 10)))
	r.MarkSplit(10, SplitForRow)
	const golden = "sluice/1:DgISAAIXMlR2mLrc_gP2-beEwWgAEgAAGjJUdpi63P4B9vm3hMFoAdzclmM"
	assert.Equal(t, golden, r.Metadata())
	recorded, _, ok := DecodeMetadata(7, golden)
	assert.True(t, ok)
	assert.Equal(t, r.ranges, recorded)
}

// The mark of a range that is split for its size is decoded. A mark does not become a weaker one.
func TestMetadataSplit(t *testing.T) {
	t.Parallel()
	r := NewRanges(10, nil, Origin{}, -1)
	for _, first := range []int64{10, 20, 30} {
		require.NoError(t, r.Record(Range{First: first, Last: first + 9, Records: 10, SealedAt: sealed}))
	}
	r.MarkSplit(20, SplitForRow)
	r.MarkSplit(30, SplitForSize)
	r.MarkSplit(30, SplitForRow)
	recorded, _, ok := DecodeMetadata(10, r.Metadata())
	assert.True(t, ok)
	require.Len(t, recorded, 3)
	for i, want := range []Split{Whole, SplitForRow, SplitForSize} {
		assert.Equal(t, want, recorded[i].Split)
	}
}

// What is lost before a range, and the origin of the head, travel with the commit. What reading a range again shows
// does not.
func TestMetadataOrigin(t *testing.T) {
	t.Parallel()
	for _, of := range []Origin{{}, {Term: 1}, {Topic: uuid.UUID{1}}, {Topic: uuid.UUID{15: 9}, Term: math.MaxInt32}} {
		r := NewRanges(7, nil, of, -1)
		s := rangeOf(7, 9)
		s.Lost = 2
		require.NoError(t, r.Record(s))
		r.Reread(Range{First: 7, Unread: 1, Term: 3})
		recorded, got, ok := DecodeMetadata(7, r.Metadata())
		assert.True(t, ok)
		assert.Equal(t, of, got)
		assert.Equal(t, []Range{s}, recorded)
	}
}

// Unknown parts are skipped, and a broken part counts as none. The ranges are decoded all the same.
func TestMetadataParts(t *testing.T) {
	t.Parallel()
	r := NewRanges(7, nil, Origin{}, -1)
	require.NoError(t, r.Record(rangeOf(7, 9)))
	plain, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(r.Metadata(), metadataPrefix))
	plain = plain[:len(plain)-crc32.Size]
	good := append(binary.AppendUvarint(nil, 6), make([]byte, 16)...)
	impossible := append(binary.AppendUvarint(nil, math.MaxInt32+1), make([]byte, 16)...)
	part := func(kind uint64, body []byte) []byte {
		return append(binary.AppendUvarint(binary.AppendUvarint(nil, kind), uint64(len(body))), body...)
	}
	for _, c := range []struct {
		name string
		tail []byte
		want Origin
	}{
		{"none", nil, Origin{}},
		{"an unknown one before", append(part(9, []byte("whatever")), part(partOrigin, good)...), Origin{Term: 6}},
		{"longer than it was", part(partOrigin, append(good, 1, 2, 3)), Origin{Term: 6}},
		{"too short", part(partOrigin, good[:16]), Origin{}},
		{"cut off", part(partOrigin, good)[:10], Origin{}},
		{"an impossible term", part(partOrigin, impossible), Origin{}},
	} {
		recorded, got, ok := DecodeMetadata(7, wrapped(append(append([]byte(nil), plain...), c.tail...)))
		assert.True(t, ok, c.name)
		assert.Equal(t, c.want, got, c.name)
		assert.Len(t, recorded, 1, c.name)
	}
}

// Whatever the metadata is, decoding it does not panic, and what is ok is the same after it was encoded and decoded
// again.
func FuzzMetadata(f *testing.F) {
	r := NewRanges(7, nil, Origin{}, -1)
	f.Add(int64(7), r.Metadata(), true)
	_ = r.Record(rangeOf(7, 9))
	_ = r.Record(rangeOf(10, 1000))
	f.Add(int64(7), r.Metadata(), true)
	f.Add(int64(0), "", false)
	f.Add(int64(0), "sluice/1:AAAA", false)
	f.Fuzz(func(t *testing.T, offset int64, text string, repair bool) {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(text, metadataPrefix))
		if repair && err == nil && len(b) >= 4 {
			text = wrapped(b[:len(b)-4]) // a wrong checksum would end it all
		}
		recorded, of, ok := DecodeMetadata(offset, text)
		if !ok {
			return
		}
		again := NewRanges(offset, nil, of, -1)
		for _, s := range recorded {
			require.GreaterOrEqual(t, s.Records, 0)
			require.LessOrEqual(t, int64(s.Records), s.Last-s.First+1)
			require.NoError(t, again.Record(s))
		}
		got, gotOrigin, ok := DecodeMetadata(offset, again.Metadata())
		require.True(t, ok)
		require.Equal(t, of, gotOrigin)
		if len(recorded) > 0 {
			require.Equal(t, recorded, got)
		}
	})
}
