package gateway

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A record batch of Kafka's message format version 2 (KIP-98, "Message Format"; the same text is under "Record Batch" in
// Kafka's documentation). All numbers are big-endian:
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
	batchLengthAt     = 8
	batchEpochAt      = 12
	batchMagicAt      = 16
	batchCRCAt        = 17
	batchAttributesAt = 21
	batchLastDeltaAt  = 23
	batchBaseTimeAt   = 27
	batchMaxTimeAt    = 35
	batchProducerAt   = 43
	batchSequenceAt   = 53
	batchCountAt      = 57
	batchHeader       = 61

	batchMagic = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// ProducerID is what brokers know a producer by: an id that one of them gave out, and its epoch.
type ProducerID struct {
	ID    int64
	Epoch int16
}

// noProducer is written when there is no id: the broker then keeps every copy of a batch that is sent again.
var noProducer = ProducerID{ID: -1, Epoch: -1}

func (p ProducerID) valid() bool { return p.ID >= 0 }

// encoder makes record batches. It keeps its memory from batch to batch: once it has seen a batch of a size, another of that
// size costs no allocation. It is for one goroutine, and a batch is good until the next one is encoded.
type encoder struct {
	codec codec
	out   []byte // the batch
	plain []byte // the records before compression; unused without a codec
}

// encode writes the records of the chunks as one batch that says it was made at now; seal makes it fit to be sent. At least
// one record, at most 2^31−1 of them and fewer than 2 GiB; the publisher's own bounds are far below that.
//
// All records carry the same time. The topic's broker puts its own in place of it (LogAppendTime), but refuses a time of more
// than an hour ahead all the same, which a client's clock could cause and ours should not.
func (e *encoder) encode(chunks []*chunk, now time.Time) {
	e.out = grow(e.out[:0], batchHeader)[:batchHeader]
	count, attributes := 0, codecNone
	if e.codec == nil {
		e.out, count = appendChunks(e.out, chunks)
	} else {
		e.plain, count = appendChunks(e.plain[:0], chunks)
		e.out = e.codec.compress(e.out, e.plain)
		attributes = e.codec.id()
		if len(e.out)-batchHeader >= len(e.plain) { // a lone small event can grow
			e.out, attributes = append(e.out[:batchHeader], e.plain...), codecNone
		}
	}
	h := e.out[:batchHeader]
	ms := uint64(now.UnixMilli())
	clear(h[:batchLengthAt])
	binary.BigEndian.PutUint32(h[batchLengthAt:], uint32(len(e.out)-batchEpochAt))
	binary.BigEndian.PutUint32(h[batchEpochAt:], ^uint32(0))
	h[batchMagicAt] = batchMagic
	binary.BigEndian.PutUint16(h[batchAttributesAt:], uint16(attributes))
	binary.BigEndian.PutUint32(h[batchLastDeltaAt:], uint32(count-1))
	binary.BigEndian.PutUint64(h[batchBaseTimeAt:], ms)
	binary.BigEndian.PutUint64(h[batchMaxTimeAt:], ms)
	binary.BigEndian.PutUint32(h[batchCountAt:], uint32(count))
}

// seal writes who sends the encoded batch and the sequence of its first record, and returns the batch. The same batch may be
// sealed again, for another producer.
func (e *encoder) seal(p ProducerID, sequence int32) []byte {
	h := e.out[:batchHeader]
	binary.BigEndian.PutUint64(h[batchProducerAt:], uint64(p.ID))
	binary.BigEndian.PutUint16(h[batchProducerAt+8:], uint16(p.Epoch))
	binary.BigEndian.PutUint32(h[batchSequenceAt:], uint32(sequence))
	binary.BigEndian.PutUint32(h[batchCRCAt:], crc32.Checksum(e.out[batchAttributesAt:], castagnoli))
	return e.out
}

// appendChunks writes the records of chunks one after another and says how many there are.
func appendChunks(b []byte, chunks []*chunk) ([]byte, int) {
	size, count := 0, 0
	for _, c := range chunks {
		size += c.size()
	}
	b = grow(b, size)
	for _, c := range chunks {
		b, count = appendTails(b, c.records, count)
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
