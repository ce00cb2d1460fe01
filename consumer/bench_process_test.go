package consumer

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/consumer/rows"
	"sluice/internal/recordbatch"
)

// BenchmarkProcess measures the way of a record from its uncompressed batch into the block of its row: in a block that
// is used again, and in one whose memory is fresh.
//
//	go test ./consumer -run '^$' -bench Process
func BenchmarkProcess(b *testing.B) {
	for _, kind := range []struct {
		name string
		size int
	}{{"200B", 200}, {"1.4KB", 1400}} {
		set := benchBatch(benchRows, kind.size)
		reader, proc, batch := &recordbatch.Reader{}, newBuilder(), newBatch(nil)
		run := func(b *testing.B, block *rows.Block) {
			b.Helper()
			batch.reset()
			batch.rows = block
			for r, err := range reader.Read(set, 0, nil) {
				if err != nil {
					b.Fatal(err)
				}
				batch.add(r, proc)
			}
			if batch.Records != benchRows || len(batch.dead) > 0 {
				b.Fatal(batch.Records, len(batch.dead))
			}
		}
		b.Run(kind.name+"/used", func(b *testing.B) {
			block := rows.New()
			run(b, block)
			b.ResetTimer()
			for b.Loop() {
				block.Reset()
				run(b, block)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchRows), "ns/row")
		})
		b.Run(kind.name+"/fresh", func(b *testing.B) {
			pool := rows.NewPool(0) // it keeps no block: all memory is fresh
			for b.Loop() {
				block := pool.Get()
				run(b, block)
				pool.Put(block)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchRows), "ns/row")
		})
	}
}

const benchRows = 80_000

// benchBatch is one batch of the benchmarks' events.
func benchBatch(n, size int) []byte {
	var records []byte
	for i := range n {
		r := benchRecord(i, size)
		records = appendRecord(records, &r)
	}
	set := kmsg.RecordBatch{Magic: 2, LastOffsetDelta: int32(n - 1), NumRecords: int32(n), Records: records}
	b := set.AppendTo(nil)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// appendRecord appends a record as a batch has it whose first one has offset 0.
func appendRecord(out []byte, r *recordbatch.Record) []byte {
	nullable := func(b, v []byte) []byte {
		if v == nil {
			return binary.AppendVarint(b, -1)
		}
		return append(binary.AppendVarint(b, int64(len(v))), v...)
	}
	one := binary.AppendVarint([]byte{0, 0}, r.Offset) // attributes, time
	one = nullable(nullable(one, r.Key), r.Value)
	one = binary.AppendVarint(one, int64(len(r.Headers)))
	for _, h := range r.Headers {
		one = nullable(nullable(one, []byte(h.Key)), h.Value)
	}
	return append(binary.AppendVarint(out, int64(len(one))), one...)
}
