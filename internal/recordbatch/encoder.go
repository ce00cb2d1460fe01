package recordbatch

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A record batch of Kafka's message format version 2 (KIP-98, "Message Format"; the same text is under "Record Batch"
// in Kafka's documentation). All numbers are big-endian:
//
//	 0 base offset           int64   0: the broker sets it
//	 8 length                int32   of all that follows
//	12 leader epoch          int32   −1: the broker sets it
//	16 magic                 int8    2
//	17 CRC-32C               uint32  over all that follows
//	21 attributes            int16   bits 0–2: the codec; the rest is 0: create time, no transaction, no control batch
//	23 last offset delta     int32   records − 1
//	27 base timestamp        int64   Unix ms
//	35 max timestamp         int64   Unix ms
//	43 producer id           int64   −1: none
//	51 producer epoch        int16   −1: none
//	53 base sequence         int32   −1: none
//	57 records               int32
//	61 the records, compressed as a whole by the codec
const (
	lengthAt     = 8
	epochAt      = 12
	magicAt      = 16
	crcAt        = 17
	attributesAt = 21
	lastDeltaAt  = 23
	baseTimeAt   = 27
	maxTimeAt    = 35
	producerAt   = 43
	sequenceAt   = 53
	countAt      = 57

	// HeaderSize is how many bytes stand in front of a batch's records.
	HeaderSize = 61

	magic = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ProducerID is what brokers know a producer by: an id that one of them gave out, and its epoch.
type ProducerID struct {
	ID    int64
	Epoch int16
}

// NoProducerID is written when there is no id. The broker then keeps every copy of a batch that is sent again.
var NoProducerID = ProducerID{ID: -1, Epoch: -1}

// Valid reports whether a broker gave out the id.
func (p ProducerID) Valid() bool { return p.ID >= 0 }

// Encoder writes record batches. It keeps its memory from batch to batch: once it has written a batch of a size,
// another of that size costs no allocation. It is for one goroutine, and a batch is good until the next one is encoded.
//
// It is written by hand because kafka-go's writer sends every batch without a producer id and allocates for each
// record.
type Encoder struct {
	codec codec
	out   []byte // the batch
	plain []byte // the records before compression; unused without a codec
}

// NewEncoder makes an Encoder that compresses with the codec of that name: none, lz4, zstd, snappy or gzip; "" is none.
func NewEncoder(codec string) (*Encoder, error) {
	c, err := newCodec(codec)
	if err != nil {
		return nil, err
	}
	return &Encoder{codec: c}, nil
}

// Encode writes the records of the runs as one batch that was made at now, and returns its size in bytes. Seal makes
// the batch fit to be sent. A batch has at least one record and at most MaxRecords, and less than 2 GiB; Encode does
// not check.
//
// All records carry the gateway's time. The broker replaces it by its own (LogAppendTime), but still refuses a time that is
// more than an hour ahead, which a client's clock could cause.
func (e *Encoder) Encode(runs [][]byte, now time.Time) (size int) {
	e.out = grow(e.out[:0], HeaderSize)[:HeaderSize]
	count, attributes := 0, codecNone
	if e.codec == nil {
		e.out, count = appendRuns(e.out, runs)
	} else {
		e.plain, count = appendRuns(e.plain[:0], runs)
		e.out = e.codec.compress(e.out, e.plain)
		attributes = e.codec.id()
		if len(e.out)-HeaderSize >= len(e.plain) { // a lone small event can grow
			e.out, attributes = append(e.out[:HeaderSize], e.plain...), codecNone
		}
	}
	h := e.out[:HeaderSize]
	ms := uint64(now.UnixMilli())
	clear(h[:lengthAt])
	binary.BigEndian.PutUint32(h[lengthAt:], uint32(len(e.out)-epochAt))
	binary.BigEndian.PutUint32(h[epochAt:], ^uint32(0))
	h[magicAt] = magic
	binary.BigEndian.PutUint16(h[attributesAt:], uint16(attributes))
	binary.BigEndian.PutUint32(h[lastDeltaAt:], uint32(count-1))
	binary.BigEndian.PutUint64(h[baseTimeAt:], ms)
	binary.BigEndian.PutUint64(h[maxTimeAt:], ms)
	binary.BigEndian.PutUint32(h[countAt:], uint32(count))
	return len(e.out)
}

// Seal writes the producer and the sequence of the first record into the encoded batch, and returns the batch. The same
// batch may be sealed again, for another producer. Without a producer id the sequence is −1.
func (e *Encoder) Seal(p ProducerID, sequence int32) []byte {
	h := e.out[:HeaderSize]
	binary.BigEndian.PutUint64(h[producerAt:], uint64(p.ID))
	binary.BigEndian.PutUint16(h[producerAt+8:], uint16(p.Epoch))
	binary.BigEndian.PutUint32(h[sequenceAt:], uint32(sequence))
	binary.BigEndian.PutUint32(h[crcAt:], crc32.Checksum(e.out[attributesAt:], castagnoli))
	return e.out
}

// appendRuns writes the records of the runs one after another, and returns how many there are.
func appendRuns(b []byte, runs [][]byte) ([]byte, int) {
	size, count := 0, 0
	for _, run := range runs {
		size += len(run)
	}
	b = grow(b, size+size/8) // a record takes a few bytes more in a batch than in a run
	for _, run := range runs {
		b, count = appendRun(b, run, count)
	}
	return b, count
}

// grow makes room for n more bytes.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return append(make([]byte, 0, len(b)+n), b...)
}
