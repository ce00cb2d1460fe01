package traced

import (
	"strconv"
	"time"

	"sluice/internal/tracing"
)

// Result is what became of a batch.
type Result struct {
	Topic, Group, Table string
	Partition           int
	Began               time.Time // when its first record was taken out of Kafka's answer
	First, Last         int64     // offsets
	Records, Rows, Dead int
	// Inserted says that all of it is in ClickHouse. Otherwise another consumer goes on with it.
	Inserted bool
}

// notFinished is the fault of a batch that another consumer goes on with.
const notFinished = "not_finished"

// End makes the batch's spans. A batch without a traced request has some only by the tracer's own choice.
func (b *Batch) End(r Result) {
	if b.tracer == nil {
		return
	}
	now := time.Now()
	if r.Began.IsZero() { // all of its records are gone from the topic
		r.Began = b.sealed
	}
	whole := b.wholeSpan(&r)
	for i := range b.requests {
		q := &b.requests[i]
		whole.Link(q.traceparent)
		span := b.tracer.Follow(q.traceparent, "process "+r.Topic, tracing.Consumer, q.taken, r.attrs("process")...)
		span.Link(whole.Traceparent())
		span.Set(tracing.Int("messaging.kafka.offset", int(q.first)),
			tracing.Int("messaging.batch.message_count", q.records))
		if q.dead != "" {
			span.Set(tracing.String("sluice.dead_letter.reason", q.dead))
			span.Fail(q.dead)
		}
		b.parts(span, &r, q.taken, 0)
		b.end(span, &r, now)
	}
	b.parts(whole, &r, r.Began, r.Rows)
	b.end(whole, &r, now)
}

// wholeSpan begins the span of the whole batch, or returns nil.
func (b *Batch) wholeSpan(r *Result) *tracing.Span {
	name, attrs := "process "+r.Topic, r.attrs("process")
	attrs = append(attrs,
		tracing.Int("messaging.batch.message_count", r.Records),
		tracing.Int("sluice.batch.first_offset", int(r.First)), tracing.Int("sluice.batch.last_offset", int(r.Last)),
		tracing.Int("sluice.batch.rows", r.Rows), tracing.Int("sluice.batch.dead_letters", r.Dead),
		tracing.Int("sluice.batch.traced_records_left_out", b.more),
	)
	if len(b.requests) == 0 {
		return b.tracer.Begin("", name, tracing.Consumer, r.Began, attrs...)
	}
	return b.tracer.Root(name, tracing.Consumer, r.Began, attrs...)
}

// parts makes the spans of fetch and insert. rows is 0 if the span is not of the whole batch.
func (b *Batch) parts(span *tracing.Span, r *Result, taken time.Time, rows int) {
	if span == nil {
		return
	}
	if !b.sealed.IsZero() {
		span.Child("fetch "+r.Topic, tracing.Consumer, taken, r.attrs("receive")...).End(b.sealed)
	}
	if b.attempts == 0 {
		return
	}
	insert := span.Child("INSERT "+r.Table, tracing.Client, b.insert[0],
		tracing.String("db.system.name", "clickhouse"), tracing.String("db.operation.name", "INSERT"),
		tracing.String("db.collection.name", r.Table), tracing.Int("sluice.insert.attempts", b.attempts))
	if rows > 0 {
		insert.Set(tracing.Int("sluice.batch.rows", rows))
	}
	if b.fault != "" {
		insert.Fail(b.fault)
	}
	insert.End(b.insert[1])
}

func (b *Batch) end(span *tracing.Span, r *Result, now time.Time) {
	if !r.Inserted {
		span.Fail(notFinished)
	}
	span.End(now)
}

// attrs are those of all messaging spans. operation is its type: receive or process.
func (r *Result) attrs(operation string) []tracing.Attr {
	name := operation
	if operation == "receive" {
		name = "fetch"
	}
	return []tracing.Attr{
		tracing.String("messaging.system", "kafka"),
		tracing.String("messaging.destination.name", r.Topic),
		tracing.String("messaging.destination.partition.id", strconv.Itoa(r.Partition)),
		tracing.String("messaging.consumer.group.name", r.Group),
		tracing.String("messaging.operation.name", name),
		tracing.String("messaging.operation.type", operation),
	}
}
