package consumer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

const (
	// fetchBytes bounds one fetch, and with it what a partition holds besides its batches. A larger batch comes whole all the same.
	fetchBytes = 2 << 20
	// maxAnswer is the largest answer to a fetch that is believed.
	maxAnswer = 256 << 20
	// readCommitted asks for records of finished transactions only, and for the list of those that were aborted.
	readCommitted = 1
)

// position is what a fetch says about its partition.
type position struct {
	highWatermark int64 // the offset the next record will get
	stable        int64 // no record from here on is read yet: a transaction is open; else the high watermark
	logStart      int64 // the oldest offset there still is
	// next is behind the last batch that was read, 0 without one: below it every record was delivered, or there is none. Offsets have
	// no record where a transaction's marker is, or what an aborted one wrote, or what compaction removed.
	next int64
	term term // of the leader that appended the last batch that was read; 0 without one
}

// errOffsetOutOfRange: the offset is no longer, or not yet, on the topic.
var errOffsetOutOfRange = errors.New("offset is out of range")

// fetch reads records from offset on and calls each with those there are; it waits up to wait for the first. The record is
// good until each returns. An error of each ends the fetch and is returned.
func (k *cluster) fetch(ctx context.Context, partition int, offset int64, wait time.Duration, each func(*record) error) (position, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+requestTimeout)
	defer cancel()
	f, _ := k.fetches.Get().(*rawFetch)
	if f == nil {
		f = &rawFetch{}
	}
	f.request = fetchapi.Request{
		ReplicaID: -1, MaxWaitTime: int32(wait.Milliseconds()), MinBytes: 1, MaxBytes: fetchBytes, SessionID: -1, SessionEpoch: -1, //nolint:gosec // at most half a second
		IsolationLevel: readCommitted,
		Topics: []fetchapi.RequestTopic{{Topic: k.conn.Topic, Partitions: []fetchapi.RequestPartition{{
			Partition: int32(partition), CurrentLeaderEpoch: -1, FetchOffset: offset, LogStartOffset: -1, PartitionMaxBytes: fetchBytes, //nolint:gosec // Kafka's own type
		}}}},
	}
	if _, err := k.transport.RoundTrip(ctx, k.client.Addr, f); err != nil {
		return position{}, fmt.Errorf("fetch: %w", err) // f may still be written to
	}
	defer k.fetches.Put(f)
	at, err := f.answer.parse()
	switch {
	case err != nil:
		return position{}, fmt.Errorf("fetch: %w", err)
	case f.answer.code == kafka.OffsetOutOfRange:
		return at, errOffsetOutOfRange
	case f.answer.code != 0:
		return at, fmt.Errorf("fetch: %w", f.answer.code)
	}
	f.batches.record.logStart = at.logStart
	at.next, at.term, err = f.batches.read(f.answer.records, offset, f.answer.aborted, each)
	return at, err
}

// rawFetch is a fetch whose answer is left as it comes from the connection, in memory that is reused. kafka-go's own would allocate
// for every record.
type rawFetch struct {
	request fetchapi.Request
	version int16
	answer  answer
	batches batchReader
}

// ApiKey, Broker, Required and RawExchange are how kafka-go's transport sends it to the partition's leader.
func (f *rawFetch) ApiKey() protocol.ApiKey { return protocol.Fetch }

// Broker picks the leader.
func (f *rawFetch) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return f.request.Broker(cluster) //nolint:wrapcheck // kafka-go calls it
}

// Required asks for RawExchange.
func (f *rawFetch) Required(versions map[protocol.ApiKey]int16) bool {
	f.version = versions[protocol.Fetch]
	return true
}

// RawExchange sends the request and reads the answer.
func (f *rawFetch) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if f.version < 4 {
		return nil, fmt.Errorf("the broker speaks version %d of fetches only", f.version)
	}
	const correlation = 1 // one request at a time on a connection
	if err := protocol.WriteRequest(rw, f.version, correlation, "sluice-consumer", &f.request); err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was doing
	}
	var err error
	f.answer.version = f.version
	f.answer.bytes, err = readAnswer(rw, f.answer.bytes, maxAnswer, correlation)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// readAnswer reads one answer, from its correlation id on, into memory that it is given, which grows if it must. An answer of more than
// most bytes, or to another request, is an error.
func readAnswer(r io.Reader, into []byte, most int, correlation uint32) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return into, err //nolint:wrapcheck // the caller says what it was doing
	}
	n := int(binary.BigEndian.Uint32(size[:]))
	if n < 4 || n > most {
		return into, fmt.Errorf("an answer of %d bytes", n)
	}
	into = grow(into, n)
	if _, err := io.ReadFull(r, into); err != nil {
		return into, err //nolint:wrapcheck // as above
	}
	if id := binary.BigEndian.Uint32(into); id != correlation {
		return into, fmt.Errorf("the answer to request %d came for %d", correlation, id)
	}
	return into, nil
}

// grow returns n bytes of memory, b's if it is large enough.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n, n+n/4)
	}
	return b[:n]
}

// answer is what a broker answered to a fetch of one partition.
type answer struct {
	version int16
	bytes   []byte
	code    kafka.Error
	aborted rollbacks
	records []byte
}

// parse finds the parts of a fetch's answer, of versions 4 to 11.
func (a *answer) parse() (position, error) {
	r := wire{b: a.bytes}
	r.skip(4 + 4) // correlation, throttling
	a.code, a.records, a.aborted = 0, nil, a.aborted[:0]
	if a.version >= 7 {
		a.code = kafka.Error(r.int16())
		r.skip(4)
	}
	topics := r.int32()
	if a.code != 0 {
		return position{}, nil
	}
	if topics != 1 {
		return position{}, fmt.Errorf("an answer for %d topics", topics)
	}
	r.skip(int(r.int16()))
	if n := r.int32(); n != 1 {
		return position{}, fmt.Errorf("an answer for %d partitions", n)
	}
	r.skip(4)
	a.code = kafka.Error(r.int16())
	at := position{highWatermark: r.int64()}
	if at.stable = r.int64(); at.stable < 0 || at.stable > at.highWatermark {
		at.stable = at.highWatermark
	}
	if a.version >= 5 {
		at.logStart = r.int64()
	}
	for n := r.int32(); n > 0 && !r.bad; n-- {
		a.aborted = append(a.aborted, aborted{producer: r.int64(), first: r.int64()})
	}
	if a.version >= 11 {
		r.skip(4)
	}
	if n := r.int32(); n > 0 {
		a.records = r.take(int(n))
	}
	if r.bad {
		return position{}, errors.New("an answer that ends too early")
	}
	return at, nil
}

// wire reads Kafka's numbers; bad says that there was not enough.
type wire struct {
	b   []byte
	bad bool
}

func (w *wire) take(n int) []byte {
	if n < 0 || n > len(w.b) {
		w.bad, w.b = true, nil
		return nil
	}
	out := w.b[:n:n]
	w.b = w.b[n:]
	return out
}

func (w *wire) skip(n int) { w.take(n) }

func (w *wire) int8() int8 {
	if b := w.take(1); b != nil {
		return int8(b[0]) //nolint:gosec // as it is on the wire
	}
	return 0
}

func (w *wire) int16() int16 {
	if b := w.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b)) //nolint:gosec // as it is on the wire
	}
	return 0
}

func (w *wire) int32() int32 {
	if b := w.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b)) //nolint:gosec // as it is on the wire
	}
	return 0
}

func (w *wire) int64() int64 {
	if b := w.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b)) //nolint:gosec // as it is on the wire
	}
	return 0
}

// varint reads a zig-zag number. Most take one byte.
func (w *wire) varint() int64 {
	if len(w.b) > 0 && w.b[0] < 0x80 {
		v := int64(w.b[0])
		w.b = w.b[1:]
		return v>>1 ^ -(v & 1)
	}
	return w.longVarint()
}

func (w *wire) longVarint() int64 {
	if len(w.b) > 1 && w.b[1] < 0x80 { // lengths take two
		v := int64(w.b[0]&0x7F) | int64(w.b[1])<<7
		w.b = w.b[2:]
		return v>>1 ^ -(v & 1)
	}
	v, n := binary.Varint(w.b)
	if n <= 0 {
		w.bad, w.b = true, nil
		return 0
	}
	w.b = w.b[n:]
	return v
}
