package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"sluice/internal/event"
	"sluice/internal/kafkaconn"
)

const (
	// fetchBytes bounds one fetch, and with it what a partition holds besides its batches.
	fetchBytes = 4 << 20
	// fetchWait is how long the broker may hold an empty fetch.
	fetchWait = 500 * time.Millisecond
	// sessionTimeout is how long the group waits for a consumer that died before others take its partitions.
	sessionTimeout    = 15 * time.Second
	heartbeatInterval = 3 * time.Second
	rebalanceTimeout  = 30 * time.Second
	requestTimeout    = 10 * time.Second
)

// cluster is the consumer's side of Kafka: membership of the group, fetches, commits, and writes of dead letters.
type cluster struct {
	conn      kafkaconn.Config
	group     string
	client    *kafka.Client
	transport *kafka.Transport
	dialer    *kafka.Dialer
	log       *slog.Logger
}

func newCluster(conn kafkaconn.Config, group string, log *slog.Logger) (*cluster, error) {
	transport, err := conn.Transport("sluice-consumer")
	if err != nil {
		return nil, err
	}
	dialer, err := conn.Dialer("sluice-consumer")
	if err != nil {
		return nil, err
	}
	return &cluster{conn: conn, group: group, client: conn.Client(transport), transport: transport, dialer: dialer, log: log}, nil
}

func (k *cluster) close() { k.transport.CloseIdleConnections() }

// position is what a fetch says about its partition.
type position struct {
	highWatermark int64 // the offset the next record will get
	logStart      int64 // the oldest offset there still is
	next          int64 // behind the last transaction marker; such markers are no records, and each calls for none
}

// errOffsetOutOfRange: the offset is no longer, or not yet, on the topic.
var errOffsetOutOfRange = errors.New("offset is out of range")

// fetch reads records from offset on and calls each with those there are; it waits up to wait for the first. The record is
// good until each returns. An error of each ends the fetch and is returned.
func (k *cluster) fetch(ctx context.Context, partition int, offset int64, wait time.Duration, each func(*record) error) (position, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+requestTimeout)
	defer cancel()
	resp, err := k.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: k.conn.Topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: wait,
	})
	if err != nil {
		return position{}, fmt.Errorf("fetch: %w", err)
	}
	at := position{highWatermark: resp.HighWatermark, logStart: resp.LogStartOffset}
	if errors.Is(resp.Error, kafka.OffsetOutOfRange) {
		return at, errOffsetOutOfRange
	}
	if resp.Error != nil {
		return at, fmt.Errorf("fetch: %w", resp.Error)
	}
	var reader recordReader
	for {
		raw, err := resp.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			at.next = behindMarkers(resp.Records)
			return at, nil
		}
		if err != nil {
			return at, fmt.Errorf("fetch: read records: %w", err)
		}
		r, err := reader.read(raw)
		if err != nil {
			return at, fmt.Errorf("fetch: read record %d: %w", raw.Offset, err)
		}
		if r.offset < offset {
			continue // batches come whole, also from before the offset asked for
		}
		if err := each(r); err != nil {
			return at, err
		}
	}
}

// behindMarkers is the offset after the last transaction marker among what was fetched, 0 without one. kafka-go passes over
// them silently; whoever does not go past them is answered at once, with nothing, for ever.
func behindMarkers(records kafka.RecordReader) int64 {
	next := int64(0)
	if stream, ok := records.(*protocol.RecordStream); ok {
		for _, b := range stream.Records {
			if marker, ok := b.(*protocol.ControlBatch); ok {
				next = marker.BaseOffset + 1
			}
		}
	}
	return next
}

// recordReader copies records into memory that it reuses.
type recordReader struct {
	record record
	key    []byte
	value  []byte
}

func (rr *recordReader) read(raw *kafka.Record) (*record, error) {
	r := &rr.record
	r.offset = raw.Offset
	r.headers = r.headers[:0]
	for _, h := range raw.Headers {
		r.headers = append(r.headers, event.Header{Key: h.Key, Value: h.Value})
	}
	var err error
	if r.key, rr.key, err = readBytes(raw.Key, rr.key); err != nil {
		return nil, err
	}
	if r.value, rr.value, err = readBytes(raw.Value, rr.value); err != nil {
		return nil, err
	}
	return r, nil
}

// readBytes reads b into memory, which it may grow; the first result is nil if b is.
func readBytes(b kafka.Bytes, memory []byte) (data, kept []byte, err error) {
	if b == nil {
		return nil, memory, nil
	}
	defer b.Close() //nolint:errcheck // it is memory
	n := b.Len()
	if memory == nil || cap(memory) < n { // never nil: an empty value is not a tombstone
		memory = make([]byte, n, max(2*n, 4<<10))
	}
	data = memory[:n]
	if _, err := io.ReadFull(b, data); err != nil {
		return nil, memory, fmt.Errorf("read bytes: %w", err)
	}
	return data, memory, nil
}

// firstOffset is the oldest offset of a partition that there still is.
func (k *cluster) firstOffset(ctx context.Context, partition int) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := k.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{k.conn.Topic: {kafka.FirstOffsetOf(partition)}},
	})
	if err != nil {
		return 0, fmt.Errorf("first offset: %w", err)
	}
	for _, p := range resp.Topics[k.conn.Topic] {
		if p.Partition == partition {
			if p.Error != nil {
				return 0, fmt.Errorf("first offset: %w", p.Error)
			}
			return p.FirstOffset, nil
		}
	}
	return 0, errors.New("first offset: the broker did not answer for the partition")
}

// errNotOwner: the partition is no longer this generation's, so nothing more may be committed for it.
var errNotOwner = errors.New("the partition is no longer ours")

// commit says that everything below offset is done with. The broker refuses it once the generation is over, which
// errNotOwner tells.
func (k *cluster) commit(ctx context.Context, m member, partition int, offset int64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := k.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: k.group, GenerationID: m.generation, MemberID: m.id,
		Topics: map[string][]kafka.OffsetCommit{k.conn.Topic: {{Partition: partition, Offset: offset}}},
	})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, p := range resp.Topics[k.conn.Topic] {
		if p.Partition != partition {
			continue
		}
		switch {
		case errors.Is(p.Error, kafka.IllegalGeneration), errors.Is(p.Error, kafka.UnknownMemberId),
			errors.Is(p.Error, kafka.RebalanceInProgress), errors.Is(p.Error, kafka.FencedInstanceID):
			return fmt.Errorf("commit: %w: %w", errNotOwner, p.Error)
		case p.Error != nil:
			return fmt.Errorf("commit: %w", p.Error)
		}
		return nil
	}
	return errors.New("commit: the broker did not answer for the partition")
}
