package deadletters

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/internal/kafkaconn"
)

const (
	// requestTimeout bounds one request to Kafka.
	requestTimeout = 10 * time.Second
	// fetchBytes is how much one fetch returns, in bytes. The topic takes batches of 4 MiB.
	fetchBytes = 8 << 20
)

// Desk reads and replays the dead letters of one cluster. It is not safe for concurrent use.
type Desk struct {
	conn   kafkaconn.Config
	client *kafka.Client
}

// New returns a desk. It opens no connection. The caller calls closeDesk when done. An error lists the faults of the
// settings.
func New(conn kafkaconn.Config) (desk *Desk, closeDesk func(), err error) {
	if err := conn.Check(); err != nil {
		return nil, nil, err
	}
	transport, err := conn.Transport("sluice-dead")
	if err != nil {
		return nil, nil, err
	}
	return &Desk{conn: conn, client: conn.Client(transport)}, transport.CloseIdleConnections, nil
}

// extent is the part of a partition that exists: from the first offset up to, not including, the end.
type extent struct {
	partition  int
	first, end int64
}

// extents returns what exists of each partition of a topic, in order.
func (d *Desk) extents(ctx context.Context, topic string) ([]extent, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := d.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka about the topic %s: %w", topic, err)
	}
	var ask []kafka.OffsetRequest
	for _, t := range meta.Topics {
		if t.Name == topic && t.Error != nil {
			return nil, fmt.Errorf("topic %s: %w (sluice topics apply makes it)", topic, t.Error)
		}
		for _, p := range t.Partitions {
			ask = append(ask, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
		}
	}
	offsets, err := d.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for the offsets of the topic %s: %w", topic, err)
	}
	var all []extent
	for _, p := range offsets.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("partition %d of the topic %s: %w", p.Partition, topic, p.Error)
		}
		all = append(all, extent{p.Partition, p.FirstOffset, p.LastOffset})
	}
	slices.SortFunc(all, func(a, b extent) int { return a.partition - b.partition })
	return all, nil
}

// Count returns how many records the dead-letter topic has, whatever a filter says.
func (d *Desk) Count(ctx context.Context) (n int64, err error) {
	all, err := d.extents(ctx, d.conn.DeadTopic)
	for _, e := range all {
		n += e.end - e.first
	}
	return n, err
}

// Letters returns the dead letters that a filter means, partition by partition, each in order. It stops at the end that
// each partition has when it is called. An error ends the letters.
func (d *Desk) Letters(ctx context.Context, f *Filter) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		all, err := d.extents(ctx, d.conn.DeadTopic)
		if err != nil {
			yield(Letter{}, err)
			return
		}
		for _, e := range all {
			for l, err := range d.read(ctx, e) {
				if err == nil && !f.Matches(&l) {
					continue
				}
				if !yield(l, err) || err != nil {
					return
				}
			}
		}
	}
}

// read returns all letters of a partition.
func (d *Desk) read(ctx context.Context, e extent) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		for at := e.first; at < e.end; {
			next, err := d.fetch(ctx, e, at, func(l Letter) bool { return yield(l, nil) })
			switch {
			case errors.Is(err, errEnough):
				return
			case err != nil:
				yield(Letter{}, fmt.Errorf("read the topic %s, partition %d: %w", d.conn.DeadTopic, e.partition, err))
				return
			}
			at = next
		}
	}
}

var errEnough = errors.New("the caller has enough")

// fetch reads some letters from an offset on, and returns the offset behind them. Offsets without a record, which
// compaction or a transaction leaves, are passed over.
func (d *Desk) fetch(ctx context.Context, e extent, at int64, each func(Letter) bool) (next int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := d.client.Fetch(ctx, &kafka.FetchRequest{
		Topic: d.conn.DeadTopic, Partition: e.partition, Offset: at, MinBytes: 1, MaxBytes: fetchBytes,
		MaxWait: time.Second,
	})
	if err != nil {
		return 0, err
	}
	if resp.Error != nil {
		return 0, resp.Error
	}
	next = at
	for {
		r, err := resp.Records.ReadRecord()
		switch {
		case errors.Is(err, io.EOF):
			if next == at {
				return e.end, nil // nothing more is there
			}
			return next, nil
		case err != nil:
			return 0, err
		case r.Offset < at:
			continue
		case r.Offset >= e.end:
			return e.end, nil
		}
		next = r.Offset + 1
		l, err := letterOf(e.partition, r)
		if err != nil {
			return 0, err
		}
		if !each(l) {
			return 0, errEnough
		}
	}
}
