package consumer

import (
	"errors"
	"time"

	"github.com/cespare/xxhash/v2"

	"sluice/consumer/counts"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/consumer/rowbuilder"
	"sluice/consumer/rows"
	"sluice/consumer/step"
	"sluice/consumer/traced"
	"sluice/internal/recordbatch"
	"sluice/internal/tracing"
)

// batch is a run of records on its way into ClickHouse: its range, its rows and its dead letters.
type batch struct {
	delivery.Range

	rows      *rows.Block // nil before its first record
	dead      []kafka.DeadLetter
	drop      map[string]int // events that a step dropped, by its name
	counts    counts.Counts
	corrected int           // rows whose received_at is not the gateway's
	hash      xxhash.Digest // of the records so far

	traced  traced.Batch
	bytes   int       // of the events
	claimed int64     // bytes that the budget was told of
	gauged  int       // bytes that the gauge was told of
	since   time.Time // when its first record was fetched
	oldest  time.Time // received_at of its oldest event

	sealed    bool // it is on its way to an insertion
	uncertain bool // its rows may be in the table
	inserted  bool // its rows are in the table; else the insertion gave up
}

func newBatch(t *tracing.Tracer) *batch {
	b := &batch{traced: traced.New(t)}
	b.hash.Reset()
	return b
}

// reset empties the batch. The block is the budget's.
func (b *batch) reset() {
	clear(b.dead)
	b.hash.Reset()
	b.traced.Reset()
	*b = batch{dead: b.dead[:0], hash: b.hash, traced: b.traced}
}

// add takes a record in: as a row, or as a dead letter if it cannot become one.
func (b *batch) add(r *recordbatch.Record, builder *rowbuilder.Builder) {
	size, dead := len(r.Value), len(b.dead)
	if err := builder.Build(r, b.rows); err != nil {
		size = b.refuse(r, err, builder)
	} else if at := builder.ReceivedAt; b.oldest.IsZero() || at.Before(b.oldest) {
		b.oldest = at
	}
	if builder.Traceparent != "" {
		reason := ""
		if len(b.dead) > dead {
			reason = string(b.dead[dead].Reason)
		}
		b.traced.Record(builder.Traceparent, r.Offset, reason)
	}
	b.corrected, builder.Corrected = b.corrected+builder.Corrected, 0
	_, _ = b.hash.Write(r.Content())
	b.Records++
	b.bytes += size
	b.Last, b.Term = r.Offset, r.Term
}

// refuse takes a record that becomes no row, and returns what it takes, in bytes.
func (b *batch) refuse(r *recordbatch.Record, err error, builder *rowbuilder.Builder) int {
	var dropped *step.DroppedError
	if errors.As(err, &dropped) {
		if b.drop == nil {
			b.drop = map[string]int{}
		}
		b.drop[dropped.Step]++
		b.counts.Dropped(&builder.Dropped, r.Timestamp, dropped.Step)
		return len(r.Value)
	}
	if err = b.counts.Published(r, err); err == nil {
		return len(r.Value)
	}
	b.dead = append(b.dead, deadLetterOf(r, err))
	b.counts.Dead(builder.Topic, builder.Partition, &b.dead[len(b.dead)-1])
	return b.dead[len(b.dead)-1].Size() // with its key and headers, which may be large
}

// memory is what the batch takes, in bytes.
func (b *batch) memory() int64 {
	n := b.counts.Bytes()
	if b.rows != nil {
		n += b.rows.Bytes()
	}
	for i := range b.dead {
		n += b.dead[i].Size()
	}
	return int64(n)
}

// deadLetterOf makes the dead letter of a record that cannot become a row.
func deadLetterOf(r *recordbatch.Record, err error) kafka.DeadLetter {
	return kafka.NewDeadLetter(r, rowbuilder.DeadReason(err), err.Error())
}
