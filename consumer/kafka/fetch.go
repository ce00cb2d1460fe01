package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"

	"sluice/internal/kafkawire"
	"sluice/internal/recordbatch"
)

const (
	// fetchBytes bounds one fetch, in bytes, and with it what a partition holds besides its batches. The broker sends a
	// larger batch whole all the same.
	fetchBytes = 2 << 20
	// maxAnswerBytes is the largest answer to a fetch that is read.
	maxAnswerBytes = 256 << 20
	// readCommitted asks for records of finished transactions only, and for the list of the aborted ones.
	readCommitted = 1
	// anyBroker is in place of a broker's id.
	anyBroker = -1
	// minFetchVersion is the first version with transactions, of Kafka 0.11.
	minFetchVersion = 4
)

// ErrOffsetOutOfRange says that the offset is no longer, or not yet, on the topic. A broker that was away says so for a
// while of offsets that it will have again.
var ErrOffsetOutOfRange = errors.New("offset is out of range")

// Answer is what a partition's leader answered to one fetch.
type Answer struct {
	// HighWatermark is the offset that the next record will get.
	HighWatermark int64
	// LastStable is where the oldest open transaction begins, or the high watermark if none is open. No record from
	// here on is read.
	LastStable int64
	// LogStart is the oldest offset on the topic; 0 if the broker does not say.
	LogStart int64
	// Records yields the records from the offset on that was asked for, in the order of offsets, without records of
	// aborted transactions. A record is good until the next one. An error is the last pair. Records can be read once.
	Records iter.Seq2[*recordbatch.Record, error]
	// Next is the offset behind the last batch that was read whole, 0 if there was none. Records sets it when the loop
	// over it ends. Offsets below Next that had no record are empty: they hold markers, or aborted records, or
	// compaction removed them.
	Next int64
	// Term is that of the leader that appended the batch before Next: its leader epoch plus one, so that 0 means
	// unknown.
	Term int32
}

// Fetch reads what a partition has from an offset on. It waits for the first record, at most for wait. Several
// goroutines may fetch at a time.
func (k *Client) Fetch(ctx context.Context, partition int, offset int64, wait time.Duration) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+requestTimeout)
	defer cancel()
	f := k.rawFetch()
	f.ask(k.conn.Topic, wait, question{int32(partition), offset})
	if _, err := k.transport.RoundTrip(ctx, k.client.Addr, f); err != nil {
		return nil, fmt.Errorf("fetch: %w", err) // not back into the pool: f may still be written to
	}
	a, err := f.answer.parse()
	return k.answered(f, a, err, offset)
}

func (k *Client) rawFetch() *rawFetch {
	f, _ := k.fetches.Get().(*rawFetch)
	if f == nil {
		f = &rawFetch{}
	}
	return f
}

// answered makes the answer for a partition of what was parsed of a fetch.
func (k *Client) answered(f *rawFetch, a *Answer, err error, offset int64) (*Answer, error) {
	switch {
	case err != nil:
		err = fmt.Errorf("fetch: %w", err)
	case f.answer.code == kafka.OffsetOutOfRange:
		err = ErrOffsetOutOfRange
	case f.answer.code != 0:
		err = fmt.Errorf("fetch: %w", f.answer.code)
	}
	if err != nil {
		k.fetches.Put(f)
		return nil, err
	}
	a.Records = func(yield func(*recordbatch.Record, error) bool) {
		defer k.fetches.Put(f)
		defer func() { a.Next, a.Term = f.batches.End() }()
		for r, err := range f.batches.Read(f.answer.records, offset, f.answer.aborted) {
			if err != nil {
				err = fmt.Errorf("fetch: %w", err)
			}
			if !yield(r, err) {
				return
			}
		}
	}
	return a, nil
}

// rawFetch is a fetch and its answer as the connection brings it, in memory that is used again. kafka-go's own fetch
// would allocate for every record.
type rawFetch struct {
	request fetchapi.Request
	broker  int // who is asked, or anyBroker
	version int16
	answer  rawAnswer
	batches recordbatch.Reader
}

// ask makes the request for one partition.
func (f *rawFetch) ask(topic string, wait time.Duration, q question) {
	f.broker = anyBroker
	f.request = newFetch(topic, wait, q)
	f.request.SessionEpoch = noSession
}

func newFetch(topic string, wait time.Duration, all ...question) fetchapi.Request {
	partitions := make([]fetchapi.RequestPartition, len(all))
	for i, q := range all {
		partitions[i] = fetchapi.RequestPartition{
			Partition: q.partition, CurrentLeaderEpoch: -1, FetchOffset: q.offset, LogStartOffset: -1,
			PartitionMaxBytes: fetchBytes,
		}
	}
	out := fetchapi.Request{
		ReplicaID: -1, MaxWaitTime: int32(wait.Milliseconds()), MinBytes: 1, MaxBytes: fetchBytes,
		IsolationLevel: readCommitted,
	}
	if len(all) > 0 {
		out.Topics = []fetchapi.RequestTopic{{Topic: topic, Partitions: partitions}}
	}
	return out
}

// ApiKey is part of protocol.Message.
func (f *rawFetch) ApiKey() protocol.ApiKey { return protocol.Fetch }

// Broker has kafka-go's transport send the fetch to the broker, or to the partition's leader.
func (f *rawFetch) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	if f.broker != anyBroker {
		return brokerOf(cluster, f.broker)
	}
	return f.request.Broker(cluster)
}

// Required has kafka-go's transport call RawExchange.
func (f *rawFetch) Required(versions map[protocol.ApiKey]int16) bool {
	f.version = versions[protocol.Fetch]
	return true
}

// RawExchange sends the request and reads the answer.
func (f *rawFetch) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if f.version < minFetchVersion {
		return nil, fmt.Errorf("the broker knows fetches up to version %d only", f.version)
	}
	const correlation = 1 // one request at a time on a connection
	if err := protocol.WriteRequest(rw, f.version, correlation, clientID, &f.request); err != nil {
		return nil, err
	}
	var err error
	f.answer.version = f.version
	f.answer.bytes, err = readAnswer(rw, f.answer.bytes, maxAnswerBytes, correlation)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// rawAnswer is the answer to a fetch, as bytes, and the parts of it that were found for one partition.
type rawAnswer struct {
	version int16
	bytes   []byte
	code    kafka.Error
	session int32 // 0: none
	aborted []recordbatch.Aborted
	records []byte
}

var errShortAnswer = errors.New("the answer ends too early")

// parse reads the answer to a fetch of one partition, but for its records. It knows the versions 4 to 11.
func (a *rawAnswer) parse() (*Answer, error) {
	r, n, err := a.open()
	if err != nil || a.code != 0 {
		return &Answer{}, err
	}
	if n != 1 {
		return nil, fmt.Errorf("the answer is for %d partitions", n)
	}
	_, out := a.partition(&r)
	if r.Short {
		return nil, errShortAnswer
	}
	return out, nil
}

// open reads what precedes the partitions, and how many there are. The code is that of the whole answer.
func (a *rawAnswer) open() (r kafkawire.Reader, partitions int, err error) {
	r = kafkawire.Reader{Rest: a.bytes}
	r.Skip(4 + 4) // correlation, throttling
	a.code, a.session, a.records, a.aborted = 0, 0, nil, a.aborted[:0]
	if a.version >= 7 {
		a.code = kafka.Error(r.Int16())
		a.session = r.Int32()
	}
	topics := r.Int32()
	if a.code != 0 || topics == 0 {
		return r, 0, nil
	}
	if topics != 1 {
		return r, 0, fmt.Errorf("the answer is for %d topics", topics)
	}
	r.Skip(int(r.Int16()))
	return r, int(r.Int32()), nil
}

// partition reads the next partition, but for its records.
func (a *rawAnswer) partition(r *kafkawire.Reader) (id int32, out *Answer) {
	a.records, a.aborted = nil, a.aborted[:0]
	id = r.Int32()
	a.code = kafka.Error(r.Int16())
	out = &Answer{HighWatermark: r.Int64(), LastStable: r.Int64()}
	if out.LastStable < 0 || out.LastStable > out.HighWatermark {
		out.LastStable = out.HighWatermark
	}
	if a.version >= 5 {
		out.LogStart = r.Int64()
	}
	for n := r.Int32(); n > 0 && !r.Short; n-- {
		a.aborted = append(a.aborted, recordbatch.Aborted{Producer: r.Int64(), FirstOffset: r.Int64()})
	}
	if a.version >= 11 {
		r.Skip(4)
	}
	if n := r.Int32(); n > 0 {
		a.records = r.Bytes(int(n))
	}
	return id, out
}
