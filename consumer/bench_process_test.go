package consumer

import (
	"encoding/binary"
	"testing"
)

// BenchmarkProcess measures what a record costs between its batch, unpacked, and the block of its row: in a block that is used again, and
// in one whose memory is fresh.
//
//	go test ./consumer -run '^$' -bench Process
func BenchmarkProcess(b *testing.B) {
	for _, kind := range []struct {
		name string
		size int
	}{{"200B", 200}, {"1.4KB", 1400}} {
		plain := benchBatch(benchRows, kind.size)
		reader, proc, batch := &batchReader{}, newProcessor(), newBatch()
		run := func(b *testing.B, rows *block) {
			b.Helper()
			batch.reset()
			batch.rows = rows
			if err := reader.records(plain, 0, benchRows, 0, func(r *record) error { batch.add(r, proc); return nil }); err != nil || len(batch.dead) > 0 {
				b.Fatal(err, len(batch.dead))
			}
		}
		b.Run(kind.name+"/used", func(b *testing.B) {
			rows := newBlock()
			run(b, rows)
			b.ResetTimer()
			for b.Loop() {
				rows.reset()
				run(b, rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchRows), "ns/row")
		})
		b.Run(kind.name+"/fresh", func(b *testing.B) {
			var known sizes
			for b.Loop() {
				rows := newBlock()
				known.expect(rows)
				run(b, rows)
				known.learn(rows)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchRows), "ns/row")
		})
	}
}

const benchRows = 80_000

// benchBatch is what a batch of the benchmarks' events has behind its head.
func benchBatch(rows, size int) []byte {
	var out []byte
	for n := range rows {
		r := benchRecord(n, size)
		out = appendRecord(out, &r)
	}
	return out
}

// appendRecord appends a record as a batch has it whose first one has offset 0.
func appendRecord(out []byte, r *record) []byte {
	nullable := func(b, v []byte) []byte {
		if v == nil {
			return binary.AppendVarint(b, -1)
		}
		return append(binary.AppendVarint(b, int64(len(v))), v...)
	}
	one := binary.AppendVarint([]byte{0, 0}, r.offset) // attributes, time
	one = nullable(nullable(one, r.key), r.value)
	one = binary.AppendVarint(one, int64(len(r.headers)))
	for _, h := range r.headers {
		one = nullable(nullable(one, []byte(h.Key)), h.Value)
	}
	return append(binary.AppendVarint(out, int64(len(one))), one...)
}
