package recordbatch

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/stretchr/testify/require"

	"sluice/internal/event"
	"sluice/internal/recordbatch/batchtest"
)

// encoderOf makes an encoder with a codec.
func encoderOf(t testing.TB, name string) *Encoder {
	t.Helper()
	e, err := NewEncoder(name)
	require.NoError(t, err)
	return e
}

// runsOf encodes runs of records.
func runsOf(runs [][]batchtest.Record) (out [][]byte) {
	for _, run := range runs {
		out = append(out, batchtest.Run(run...))
	}
	return out
}

// parseKafkaGo reads a batch with kafka-go's decoder, which checks the CRC.
func parseKafkaGo(raw []byte) (*protocol.RecordBatch, []batchtest.Record, error) {
	var set protocol.RecordSet
	sized := append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
	if _, err := set.ReadFrom(bytes.NewBuffer(sized)); err != nil {
		return nil, nil, fmt.Errorf("record set: %w", err)
	}
	stream, ok := set.Records.(*protocol.RecordStream)
	if !ok || len(stream.Records) != 1 {
		return nil, nil, fmt.Errorf("not one batch: %T", set.Records)
	}
	batch, ok := stream.Records[0].(*protocol.RecordBatch)
	if !ok {
		return nil, nil, fmt.Errorf("not a version 2 batch: %T", stream.Records[0])
	}
	var out []batchtest.Record
	for {
		r, err := batch.ReadRecord()
		if errors.Is(err, io.EOF) {
			return batch, out, nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("record %d: %w", len(out), err)
		}
		if r.Offset != int64(len(out)) {
			return nil, nil, fmt.Errorf("record %d has offset %d", len(out), r.Offset)
		}
		var rec batchtest.Record
		if r.Key != nil {
			if rec.Key, err = kafka.ReadAll(r.Key); err != nil {
				return nil, nil, fmt.Errorf("key: %w", err)
			}
		}
		if r.Value != nil {
			if rec.Value, err = kafka.ReadAll(r.Value); err != nil {
				return nil, nil, fmt.Errorf("value: %w", err)
			}
		}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, event.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
		out = append(out, rec)
	}
}

// checkBatch reads a batch with both decoders, and compares the records with those that were encoded.
func checkBatch(t *testing.T, raw []byte, want [][]batchtest.Record, p ProducerID, sequence int32, at time.Time) {
	t.Helper()
	var all []batchtest.Record
	for _, run := range want {
		all = append(all, run...)
	}
	got, err := batchtest.Parse(raw)
	if err != nil {
		t.Fatalf("franz-go: %v", err)
	}
	require.Equal(t, p, ProducerID{got.ProducerID, got.ProducerEpoch})
	require.Equal(t, sequence, got.FirstSequence)
	require.Equal(t, int64(0), got.FirstOffset)
	require.Equal(t, int32(-1), got.PartitionLeaderEpoch)
	require.Equal(t, []int64{at.UnixMilli(), at.UnixMilli()}, []int64{got.FirstTimestamp, got.MaxTimestamp})
	require.Zero(t, got.Attributes&^7)
	if !reflect.DeepEqual(batchtest.Flat(got.Read), batchtest.Flat(all)) {
		t.Fatalf("franz-go read\n%q\nwant\n%q", got.Read, all)
	}
	for i := range all { // franz-go does tell nil from empty
		if (got.Read[i].Key == nil) != (all[i].Key == nil) || (got.Read[i].Value == nil) != (all[i].Value == nil) {
			t.Fatalf("record %d: nil became empty or the reverse", i)
		}
	}
	batch, second, err := parseKafkaGo(raw)
	if err != nil {
		t.Fatalf("kafka-go: %v", err)
	}
	require.Equal(t, p, ProducerID{batch.ProducerID, batch.ProducerEpoch})
	require.Equal(t, sequence, batch.BaseSequence)
	require.Zero(t, batch.BaseOffset)
	if !reflect.DeepEqual(batchtest.Flat(second), batchtest.Flat(all)) {
		t.Fatalf("kafka-go read\n%q\nwant\n%q", second, all)
	}
}

// goldenBatch is one record, key nil, value "hi", header v=1, from producer 258 epoch 3 with sequence 7, at 1 s after
// 1970. The bytes are written by hand from the format. The CRC was computed bit by bit, without hash/crc32.
const goldenBatch = "0000000000000000" + // base offset
	"0000003e" + // length: 62 = 49 of the header + 13
	"ffffffff" + "02" + // leader epoch, magic
	"@crc@" +
	"0000" + "00000000" + // attributes, last offset delta
	"00000000000003e8" + "00000000000003e8" + // times
	"0000000000000102" + "0003" + "00000007" + // producer
	"00000001" + // records
	"18" + "00" + "00" + "00" + // length 12, attributes, time, offset
	"01" + // no key
	"04" + "6869" + // value
	"02" + "02" + "76" + "02" + "31" // one header

func TestGoldenBatch(t *testing.T) {
	e := encoderOf(t, "none")
	in := [][]batchtest.Record{{{Value: []byte("hi"), Headers: []event.Header{{Key: "v", Value: []byte("1")}}}}}
	at := time.UnixMilli(1000)
	e.Encode(runsOf(in), at)
	raw := e.Seal(ProducerID{258, 3}, 7)
	checkBatch(t, raw, in, ProducerID{258, 3}, 7, at)
	want := bytes.Replace([]byte(goldenBatch), []byte("@crc@"), []byte("e64e26a0"), 1)
	if got := hex.EncodeToString(raw); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Both decoders read back every batch: of every codec, of several runs, with nil and empty fields, one after another.
func TestBatchesReadBack(t *testing.T) {
	big := bytes.Repeat([]byte(`{"message":"again and again"}`), 5000)
	for _, name := range batchtest.Codecs {
		t.Run(name, func(t *testing.T) {
			e := encoderOf(t, name)
			for i, in := range [][][]batchtest.Record{
				{batchtest.Plain(1, 10)},
				{batchtest.Plain(3, 1000), batchtest.Plain(1, 0), batchtest.Plain(200, 300)},
				{{{Value: big}, {Key: []byte{}, Value: []byte{}}, {Key: []byte("k")}}},
				{{{}}},
			} {
				at := time.UnixMilli(1_700_000_000_000 + int64(i))
				id := ProducerID{int64(i)<<33 + 1, int16(i)}
				e.Encode(runsOf(in), at)
				checkBatch(t, e.Seal(id, math.MaxInt32-int32(i)), in, id, math.MaxInt32-int32(i), at)
				checkBatch(t, e.Seal(NoProducerID, -1), in, NoProducerID, -1, at) // sealed again
			}
		})
	}
}

// A batch never grows by compression.
func TestIncompressibleIsSentPlain(t *testing.T) {
	plain := encoderOf(t, "none")
	in := [][]batchtest.Record{{{Value: []byte("x")}}}
	plain.Encode(runsOf(in), time.UnixMilli(1))
	want := plain.Seal(NoProducerID, -1)
	for _, name := range batchtest.Codecs {
		e := encoderOf(t, name)
		e.Encode(runsOf(in), time.UnixMilli(1))
		if got := e.Seal(NoProducerID, -1); !bytes.Equal(got, want) {
			t.Errorf("%s: %x, want %x", name, got, want)
		}
	}
}

func TestUnknownCodec(t *testing.T) {
	if _, err := NewEncoder("lzma"); err == nil {
		t.Error("accepted")
	}
}

func TestVarintSize(t *testing.T) {
	for shift := range 64 {
		for _, v := range []int64{1 << shift, -1 << shift, 1<<shift - 1, -(1 << shift) + 1} {
			if got, want := varintSize(v), len(binary.AppendVarint(nil, v)); got != want {
				t.Errorf("%d: %d, want %d", v, got, want)
			}
		}
	}
}

// Both decoders read back any records, with every codec.
func FuzzBatch(f *testing.F) {
	f.Add([]byte("key"), []byte("value"), "name", []byte("header"), uint8(3), int64(1), int16(0), int32(0), byte(0))
	f.Add([]byte(nil), []byte{}, "", []byte(nil), uint8(0), int64(-1), int16(-1), int32(-1), byte(4))
	f.Fuzz(func(
		t *testing.T, key, value []byte, name string, header []byte, n uint8, id int64, epoch int16, sequence int32, which byte,
	) {
		e := encoderOf(t, batchtest.Codecs[int(which)%len(batchtest.Codecs)])
		run := []batchtest.Record{{Key: key, Value: value, Headers: []event.Header{{Key: name, Value: header}}}}
		for i := range int(n) {
			r := batchtest.Record{Value: append([]byte{byte(i)}, value...)}
			for j := range i % 4 {
				r.Headers = append(r.Headers, event.Header{Key: fmt.Sprint(name, j), Value: key})
			}
			run = append(run, r)
		}
		in := [][]batchtest.Record{run[:1], run[1:]}
		at := time.UnixMilli(1_700_000_000_000)
		e.Encode(runsOf([][]batchtest.Record{batchtest.Plain(2, 50)}), at) // the encoder is not fresh
		e.Encode(runsOf(in), at)
		checkBatch(t, e.Seal(ProducerID{id, epoch}, sequence), in, ProducerID{id, epoch}, sequence, at)
	})
}

// If franz-go reads any bytes as one batch, the encoder writes its records so that both decoders read them again.
func FuzzParseBatch(f *testing.F) {
	for _, name := range batchtest.Codecs {
		e := encoderOf(f, name)
		e.Encode(runsOf([][]batchtest.Record{batchtest.Plain(5, 100)}), time.UnixMilli(5))
		f.Add(bytes.Clone(e.Seal(ProducerID{1, 2}, 3)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) < HeaderSize || len(raw) > 1<<16 || binary.BigEndian.Uint32(raw[countAt:]) > 1000 {
			t.Skip()
		}
		p, err := batchtest.Parse(raw)
		if err != nil || len(p.Read) == 0 || p.Attributes&^7 != 0 {
			t.Skip()
		}
		e := encoderOf(t, batchtest.Codecs[int(p.Attributes&7)%len(batchtest.Codecs)])
		at := time.UnixMilli(1_700_000_000_000)
		e.Encode(runsOf([][]batchtest.Record{p.Read}), at)
		id := ProducerID{p.ProducerID, p.ProducerEpoch}
		checkBatch(t, e.Seal(id, p.FirstSequence), [][]batchtest.Record{p.Read}, id, p.FirstSequence, at)
	})
}

// AppendRecord writes the same bytes as batchtest, and RecordSize returns how many.
func TestAppendRecord(t *testing.T) {
	envelope := event.Envelope{
		Project: "demo", ID: event.NewID(), ReceivedAt: time.UnixMilli(1),
		Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
	}
	var h Headers
	for _, key := range [][]byte{nil, {}, []byte("key")} {
		for _, value := range [][]byte{nil, {}, []byte("value"), bytes.Repeat([]byte("x"), 300)} {
			first := envelope
			h.Set(&first)
			envelope.ID = event.NewID()
			tail, total := RecordSize(key, value, &h)
			got := AppendRecord([]byte("before"), tail, key, value, &h, envelope.ID)
			want := batchtest.Run(batchtest.Record{Key: key, Value: value, Headers: envelope.Headers()})
			require.Equal(t, "before"+string(want), string(got))
			require.Equal(t, len(want), total)
			require.Equal(t, key, bytes.Clone(Key(want)))
			require.Equal(t, total, Skip(append(want, want...), 1))
		}
	}
}

// An encoder allocates next to nothing once it has encoded a batch of that size.
func TestEncodeAllocatesNothing(t *testing.T) {
	in := runsOf([][]batchtest.Record{batchtest.EventsLike(500)})
	for _, name := range batchtest.Codecs {
		e := encoderOf(t, name)
		at := time.Now()
		work := func() {
			e.Encode(in, at)
			e.Seal(ProducerID{1, 0}, 0)
		}
		work()
		if got := testing.AllocsPerRun(20, work); got > 20 {
			t.Errorf("%s: %v allocations a batch of 500", name, got)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, n := range []int{1, 32, 1000} {
		in := runsOf([][]batchtest.Record{batchtest.EventsLike(n)})
		for _, name := range batchtest.Codecs {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				e := encoderOf(b, name)
				b.ReportAllocs()
				size := 0
				for b.Loop() {
					e.Encode(in, time.UnixMilli(1))
					size = len(e.Seal(ProducerID{1, 0}, 0))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/record")
				b.ReportMetric(float64(size)/float64(n), "bytes/record")
			})
		}
	}
}
