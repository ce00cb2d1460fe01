package recordbatch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/event"
	"sluice/internal/recordbatch/batchtest"
)

// appended is a batch as a broker has it on its log: with its offset and its leader's epoch, which the checksum does not cover.
func appended(batch []byte, base int64, epoch int32) []byte {
	b := bytes.Clone(batch)
	binary.BigEndian.PutUint64(b, uint64(base))
	binary.BigEndian.PutUint32(b[epochAt:], uint32(epoch))
	return b
}

// FuzzRoundTrip: a Reader reads back what an Encoder writes, with every codec, from any offset, of several batches, and with
// a batch that is cut off at the end.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), "name", []byte("header"), uint8(3), uint8(2), uint16(5))
	f.Add([]byte(nil), []byte{}, "", []byte(nil), uint8(0), uint8(0), uint16(0))
	f.Add([]byte{}, bytes.Repeat([]byte("x"), 3000), "project", []byte("demo"), uint8(60), uint8(4), uint16(700))
	f.Fuzz(func(t *testing.T, key, value []byte, name string, header []byte, n, which uint8, cut uint16) {
		records := []batchtest.Record{{Key: key, Value: value, Headers: []event.Header{{Key: name, Value: header}}}}
		for i := range int(n) {
			r := batchtest.Record{Value: append([]byte{byte(i)}, value...)}
			for j := range i % 4 {
				r.Headers = append(r.Headers, event.Header{Key: fmt.Sprint(name, j), Value: key})
			}
			records = append(records, r)
		}
		e := encoderOf(t, batchtest.Codecs[int(which)%len(batchtest.Codecs)])
		at := time.UnixMilli(1_700_000_000_000)
		e.Encode(runsOf([][]batchtest.Record{records[:1], records[1:]}), at)
		batch := e.Seal(ProducerID{ID: 7, Epoch: 1}, 0)
		const gap = 3
		second := int64(len(records)) + gap
		set := append(appended(batch, 0, 4), appended(batch, second, 5)...)
		end := second + int64(len(records))
		set = append(set, appended(batch, end, 5)[:int(cut)%len(batch)]...)
		var reader Reader
		for _, from := range []int64{0, int64(len(records) / 2), second, end - 1, end} {
			var offsets []int64
			for r, err := range reader.Read(set, from, nil) {
				require.NoError(t, err)
				offsets = append(offsets, r.Offset)
				checkRead(t, r, records, second, at)
			}
			require.Equal(t, expected(from, len(records), second), offsets, "from %d", from)
			next, term := reader.End()
			require.Equal(t, end, next)
			require.Equal(t, int32(6), term)
		}
	})
}

// checkRead compares a record of one of the two batches with the one that was written.
func checkRead(t *testing.T, r *Record, written []batchtest.Record, second int64, at time.Time) {
	t.Helper()
	base, term := int64(0), int32(5)
	if r.Offset >= second {
		base, term = second, 6
	}
	want := written[r.Offset-base]
	require.Equal(t, want.Key, r.Key)
	require.Equal(t, want.Value, r.Value)
	require.Len(t, r.Headers, len(want.Headers))
	for i, h := range want.Headers {
		require.Equal(t, h.Key, r.Headers[i].Key)
		require.Equal(t, h.Value, r.Headers[i].Value)
	}
	require.Equal(t, [2]int64{base, at.UnixMilli()}, [2]int64{r.BaseOffset, r.Timestamp})
	require.Equal(t, term, r.Term)
	require.False(t, r.LogAppendTime)
	raw := binary.AppendVarint(nil, int64(len(want.Value)))
	if want.Value == nil {
		raw = binary.AppendVarint(nil, -1)
	}
	require.True(t, bytes.HasPrefix(r.Raw, append(raw, want.Value...)))
}

// expected lists the offsets from one on of two batches of n records.
func expected(from int64, n int, second int64) (out []int64) {
	for _, base := range []int64{0, second} {
		for i := range int64(n) {
			if base+i >= from {
				out = append(out, base+i)
			}
		}
	}
	return out
}
