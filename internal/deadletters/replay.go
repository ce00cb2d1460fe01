package deadletters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/time/rate"
)

const (
	// maxBatch bounds one write, in records and bytes. The topic of the events takes 2 MiB.
	maxBatchRecords = 500
	maxBatchBytes   = 1 << 20
	// recordOverhead is a guess at what a record takes besides its key, value and headers, in bytes.
	recordOverhead = 100
)

// Replay puts dead letters back on the topic of the events. Make one with Desk.Replay; it is not safe for concurrent
// use.
type Replay struct {
	desk       *Desk
	limit      *rate.Limiter // records a second
	partitions int           // of the topic of the events
	before     []extent      // of the dead-letter topic, when the replay began

	batch       []Letter // for one partition
	batchSize   int
	mostLetters int              // of a batch
	written     map[Place]Letter // by the place on the topic of the events
}

// NewReplay begins a replay of at most perSecond letters a second; 0 is no bound.
func (d *Desk) NewReplay(ctx context.Context, perSecond int) (*Replay, error) {
	events, err := d.extents(ctx, d.conn.Topic)
	if err != nil {
		return nil, err
	}
	before, err := d.extents(ctx, d.conn.DeadTopic)
	if err != nil {
		return nil, err
	}
	r := &Replay{
		desk: d, partitions: len(events), before: before, written: map[Place]Letter{}, mostLetters: maxBatchRecords,
		limit: rate.NewLimiter(rate.Inf, 0),
	}
	if perSecond > 0 {
		r.mostLetters = min(perSecond, maxBatchRecords) // a batch is written at once
		r.limit = rate.NewLimiter(rate.Limit(perSecond), r.mostLetters)
		r.limit.AllowN(time.Now(), r.mostLetters) // no burst at the start
	}
	return r, nil
}

// Written returns how many letters Kafka acknowledged.
func (r *Replay) Written() int { return len(r.written) }

// Add replays a letter, at once or with those that follow. Flush replays the rest.
func (r *Replay) Add(ctx context.Context, l Letter) error {
	size := recordOverhead + len(l.Key) + len(l.Value)
	for _, h := range l.Headers {
		size += len(h.Key) + len(h.Value)
	}
	if len(r.batch) > 0 && (r.batch[0].From.Partition != l.From.Partition || len(r.batch) == r.mostLetters ||
		r.batchSize+size > maxBatchBytes) {
		if err := r.Flush(ctx); err != nil {
			return err
		}
	}
	r.batch, r.batchSize = append(r.batch, l), r.batchSize+size
	return nil
}

// Flush writes the letters that wait, with acks=all. After an error some may have been written; to replay them again
// changes nothing.
func (r *Replay) Flush(ctx context.Context) error {
	if len(r.batch) == 0 {
		return nil
	}
	if err := r.limit.WaitN(ctx, len(r.batch)); err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	partition := r.batch[0].From.Partition % r.partitions
	records := make([]kafka.Record, len(r.batch))
	for i := range r.batch {
		records[i] = r.batch[i].record()
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := r.desk.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: r.desk.conn.Topic, Partition: partition, RequiredAcks: kafka.RequireAll, Compression: kafka.Lz4,
		Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = resp.Error
	}
	if errors.Is(err, kafka.MessageSizeTooLarge) && len(r.batch) == 1 {
		return fmt.Errorf("letter %s is larger than the topic %s takes: %w", r.batch[0].Place, r.desk.conn.Topic, err)
	}
	if err != nil {
		return fmt.Errorf("write to the topic %s, partition %d: %w", r.desk.conn.Topic, partition, err)
	}
	for i := range r.batch {
		r.written[Place{partition, resp.BaseOffset + int64(i)}] = Letter{
			Place: r.batch[i].Place, From: r.batch[i].From, Project: r.batch[i].Project, EventID: r.batch[i].EventID,
		}
	}
	r.batch, r.batchSize = r.batch[:0], 0
	return nil
}

// record returns the record as it was before it died.
func (l *Letter) record() kafka.Record {
	r := kafka.Record{Headers: l.Headers}
	if l.Key != nil {
		r.Key = kafka.NewBytes(l.Key)
	}
	if l.Value != nil {
		r.Value = kafka.NewBytes(l.Value)
	}
	return r
}
