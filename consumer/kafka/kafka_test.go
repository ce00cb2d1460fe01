package kafka

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// Keys, values and headers arrive as they were written. Null stays null and empty stays empty.
func TestFetch(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	want := []recordbatch.Record{
		{Key: []byte{}, Value: []byte{}}, // first, while the reader has no memory to use again
		{},
		{Key: []byte("k"), Value: []byte("v"), Headers: []event.Header{
			{Key: "h", Value: []byte("1")}, {Key: "h", Value: []byte{0, 0xFF}}, {Key: "", Value: []byte("no name")},
		}},
		{Value: bytes.Repeat([]byte("x"), 1<<20)}, // grows the memory
		{Key: []byte{}, Value: []byte("short")},
		numbered(5),
		{Key: []byte("tombstone")},
	}
	b.put(t, 0, want...)
	got, at, err := b.read(t, 0, 0)
	require.NoError(t, err)
	require.Len(t, got, len(want))
	assert.Equal(t, int64(len(want)), at.HighWatermark)
	assert.Zero(t, at.LogStart)
	for i, w := range want {
		g := got[i]
		assert.Equal(t, int64(i), g.Offset)
		assert.Equal(t, w.Key, g.Key, "key of record %d", i)
		assert.Equal(t, w.Value, g.Value, "value of record %d", i)
		assert.Equal(t, w.Headers, g.Headers, "headers of record %d", i)
	}
}

// A broker sends whole batches. Records of the batch from before the offset asked for are not yielded.
func TestFetchFromWithinABatch(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	var records []recordbatch.Record
	for i := range 10 {
		records = append(records, numbered(i))
	}
	b.put(t, 0, records...)
	for offset := range int64(11) {
		got, at, err := b.read(t, 0, offset)
		require.NoError(t, err, "from %d", offset)
		assert.Equal(t, int64(10), at.HighWatermark)
		assert.Len(t, got, int(10-offset), "from %d", offset)
		if len(got) > 0 {
			assert.Equal(t, offset, got[0].Offset)
		}
	}
}

// Batches that another producer compressed are read.
func TestFetchCompressed(t *testing.T) {
	t.Parallel()
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBroker(t, 1)
			other, err := kgo.NewClient(kgo.SeedBrokers(b.ListenAddrs()...), kgo.ProducerBatchCompression(codec))
			require.NoError(t, err)
			defer other.Close()
			var batch []*kgo.Record
			for i := range 100 {
				batch = append(batch, &kgo.Record{Topic: "events", Value: fmt.Appendf(nil, "value %d", i)})
			}
			require.NoError(t, other.ProduceSync(t.Context(), batch...).FirstErr())
			got, _, err := b.read(t, 0, 0)
			require.NoError(t, err)
			require.Len(t, got, 100)
			assert.Equal(t, "value 99", string(got[99].Value))
		})
	}
}

// A caller may leave the loop over the records. Next is then behind the last batch that was read whole.
func TestFetchStops(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.put(t, 0, numbered(0), numbered(1))
	b.put(t, 0, numbered(2), numbered(3))
	for stop, next := range map[int]int64{1: 0, 2: 0, 3: 2, 4: 2} {
		answer, err := b.Fetch(t.Context(), 0, 0, time.Second)
		require.NoError(t, err)
		n := 0
		for _, err := range answer.Records {
			require.NoError(t, err)
			if n++; n == stop {
				break
			}
		}
		assert.Equal(t, stop, n)
		assert.Equal(t, next, answer.Next, "stopped at record %d", stop)
	}
}

// Offsets that are not on the topic have an error of their own.
func TestFetchOutOfRange(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 2)
	b.put(t, 0, numbered(0), numbered(1), numbered(2), numbered(3))
	require.NoError(t, b.DeleteRecords("events", 0, 2))
	for offset, out := range map[int64]bool{0: true, 1: true, 2: false, 3: false, 4: false, 5: true, 1000: true} {
		_, _, err := b.read(t, 0, offset)
		if out {
			assert.ErrorIs(t, err, ErrOffsetOutOfRange, "offset %d", offset)
		} else {
			assert.NoError(t, err, "offset %d", offset)
		}
	}
	for partition, want := range [][2]int64{{2, 4}, {0, 0}} {
		first, end, err := b.Bounds(t.Context(), partition)
		require.NoError(t, err)
		assert.Equal(t, want, [2]int64{first, end}, "partition %d", partition)
	}
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition},
		kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition, Count: -1})
	_, _, err := b.read(t, 0, 2)
	assert.Error(t, err, "a moved leader")
	assert.NotErrorIs(t, err, ErrOffsetOutOfRange)
	_, _, err = b.Bounds(t.Context(), 0)
	assert.Error(t, err, "bounds that the broker refused")
}
