// Package batchtest reads and writes Kafka's record batches for tests, by other means than package recordbatch: what
// that writes, franz-go's decoder reads here.
package batchtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/event"
)

// Codecs are the names of all codecs.
var Codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// Record is a Kafka record as tests write and read it. A nil Key or Value is none.
type Record struct {
	Key     []byte
	Value   []byte
	Headers []event.Header
}

// Run encodes records as recordbatch.AppendRecord does, with whatever headers they have.
func Run(records ...Record) []byte {
	var run []byte
	for _, r := range records {
		tail := appendBytes(appendBytes(nil, r.Key), r.Value)
		tail = binary.AppendVarint(tail, int64(len(r.Headers)))
		for _, h := range r.Headers {
			tail = binary.AppendVarint(tail, int64(len(h.Key)))
			tail = appendBytes(append(tail, h.Key...), h.Value)
		}
		run = append(binary.AppendUvarint(run, uint64(len(tail))), tail...)
	}
	return run
}

func appendBytes(b, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(b, -1)
	}
	return append(binary.AppendVarint(b, int64(len(v))), v...)
}

// Records reads a run that recordbatch.AppendRecord or Run wrote. The records alias it. It panics where the run is
// damaged.
func Records(run []byte) (out []Record) {
	for len(run) > 0 {
		size, width := binary.Uvarint(run)
		tail := run[width : width+int(size)]
		run = run[width+len(tail):]
		var r Record
		r.Key, tail = readBytes(tail)
		r.Value, tail = readBytes(tail)
		n, width := binary.Varint(tail)
		tail = tail[width:]
		for range n {
			var name, value []byte
			name, tail = readBytes(tail)
			value, tail = readBytes(tail)
			r.Headers = append(r.Headers, event.Header{Key: string(name), Value: value})
		}
		out = append(out, r)
	}
	return out
}

func readBytes(tail []byte) (v, rest []byte) {
	n, width := binary.Varint(tail)
	if tail = tail[width:]; n < 0 {
		return nil, tail
	}
	return tail[:n], tail[n:]
}

// Batch is a batch as franz-go reads it.
type Batch struct {
	kmsg.RecordBatch
	Read []Record
}

// Parse reads a batch with franz-go's decoder, and checks what that does not. The records do not alias raw.
func Parse(raw []byte) (Batch, error) {
	var p Batch
	raw = bytes.Clone(raw)
	if err := p.ReadFrom(raw); err != nil {
		return p, fmt.Errorf("batch: %w", err)
	}
	if int(p.Length) != len(raw)-12 || p.Magic != 2 || p.LastOffsetDelta != p.NumRecords-1 {
		return p, fmt.Errorf("length %d of %d, magic %d, last %d of %d",
			p.Length, len(raw), p.Magic, p.LastOffsetDelta, p.NumRecords)
	}
	plain, err := kgo.DefaultDecompressor().Decompress(p.Records, kgo.CompressionCodecType(p.Attributes&7))
	if err != nil {
		return p, fmt.Errorf("decompress: %w", err)
	}
	for i := range p.NumRecords {
		length, n := binary.Varint(plain)
		if n <= 0 || length < 0 || length > int64(len(plain)-n) {
			return p, fmt.Errorf("record %d: length %d", i, length)
		}
		r := kmsg.NewRecord()
		if err := r.ReadFrom(plain[:n+int(length)]); err != nil {
			return p, fmt.Errorf("record %d: %w", i, err)
		}
		if r.OffsetDelta != i || r.TimestampDelta64 != 0 || r.Attributes != 0 {
			return p, fmt.Errorf("record %d: %+v", i, r)
		}
		out := Record{Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			out.Headers = append(out.Headers, event.Header{Key: h.Key, Value: h.Value})
		}
		p.Read = append(p.Read, out)
		plain = plain[n+int(length):]
	}
	if len(plain) != 0 {
		return p, fmt.Errorf("%d bytes after the last record", len(plain))
	}
	return p, nil
}

// Flat makes every key, value and header that is none an empty one, because kafka-go's decoder does not tell them
// apart.
func Flat(records []Record) []Record {
	out := make([]Record, len(records))
	for i, r := range records {
		out[i] = Record{Key: append([]byte{}, r.Key...), Value: append([]byte{}, r.Value...)}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, event.Header{Key: h.Key, Value: append([]byte{}, h.Value...)})
		}
	}
	return out
}

// Plain makes n records with a value of size bytes each and nothing else.
func Plain(n, size int) []Record {
	out := make([]Record, n)
	for i := range out {
		out[i] = Record{Value: bytes.Repeat([]byte{byte(i)}, size)}
	}
	return out
}

// EventsLike makes n records like those of real events: about 200 bytes of JSON and the headers of every record.
func EventsLike(n int) []Record {
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{
		"timeout", "checkout", "payment", "declined", "gateway", "user", "session", "cart", "retry", "null", "reference",
		"upstream",
	}
	out := make([]Record, n)
	for i := range out {
		id := fmt.Sprintf("0193%04x-%04x-7%03x-%04x-%012x", random.Uint32()&0xffff, random.Uint32()&0xffff,
			random.Uint32()&0xfff, random.Uint32()&0xffff, random.Uint64()&0xffffffffffff)
		text := ""
		for len(text) < 60 {
			text += words[random.IntN(len(words))] + " "
		}
		out[i] = Record{
			Value: fmt.Appendf(nil, `{"event_id":"%s","level":"error","message":"%sin %d ms","user":{"id":"u%d"},`+
				`"release":"1.%d.0","environment":"production"}`,
				id, text, random.IntN(5000), random.IntN(100000), random.IntN(9)),
			Headers: []event.Header{
				{Key: "v", Value: []byte("1")}, {Key: "project", Value: []byte("checkout")},
				{Key: "event-id", Value: []byte(id)}, {Key: "received-at", Value: fmt.Append(nil, 1795470000000+i)},
			},
		}
	}
	return out
}
