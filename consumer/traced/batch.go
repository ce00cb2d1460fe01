package traced

import (
	"time"

	"sluice/internal/tracing"
)

// mostRequests is how many traced requests a batch keeps. It is also how many links a span has at most.
const mostRequests = 128

// Batch collects what the spans of one batch need. A Batch without a tracer does nothing. It is for one goroutine at a
// time.
type Batch struct {
	tracer   *tracing.Tracer
	requests []request
	denied   string // the traceparent that was last found not to be traced
	more     int    // traced records whose requests had no place in requests

	sealed   time.Time
	insert   [2]time.Time // when the first insert began, and when the last one ended
	attempts int          // inserts
	fault    string       // of the last insert; empty: none
}

// request is a traced request, as far as its records are in the batch.
type request struct {
	traceparent string
	taken       time.Time // when its first record was taken out of Kafka's answer
	first       int64     // offset of that record
	records     int
	dead        string // why the last of them became a dead letter that became one
}

// New returns an empty Batch. The tracer may be nil.
func New(t *tracing.Tracer) Batch { return Batch{tracer: t} }

// Reset empties the batch.
func (b *Batch) Reset() {
	if b.tracer != nil {
		clear(b.requests)
		*b = Batch{tracer: b.tracer, requests: b.requests[:0]}
	}
}

// Record takes a record with a traceparent, or "". dead is why the record became a dead letter, "" if it did not.
func (b *Batch) Record(traceparent string, offset int64, dead string) {
	if b.tracer == nil || traceparent == "" || traceparent == b.denied || !tracing.Sampled(traceparent) {
		return
	}
	r := b.find(traceparent)
	if r == nil {
		switch {
		case len(b.requests) >= mostRequests:
			b.more++
			return
		case !b.tracer.Wants(traceparent):
			b.denied = traceparent
			return
		}
		b.requests = append(b.requests, request{traceparent: traceparent, taken: time.Now(), first: offset})
		r = &b.requests[len(b.requests)-1]
	}
	r.records++
	if dead != "" {
		r.dead = dead
	}
}

// find returns the request of a traceparent; nil if there is none. The records of a bulk lie together.
func (b *Batch) find(traceparent string) *request {
	for i := len(b.requests) - 1; i >= 0; i-- {
		if b.requests[i].traceparent == traceparent {
			return &b.requests[i]
		}
	}
	return nil
}

// DeadLettered takes that the record at an offset became a dead letter after all, because ClickHouse refuses it. Of a
// request with several records only the first is known by its offset.
func (b *Batch) DeadLettered(offset int64, reason string) {
	for i := range b.requests {
		if b.requests[i].first == offset {
			b.requests[i].dead = reason
		}
	}
}

// Sealed notes that the batch takes no more records.
func (b *Batch) Sealed() {
	if b.tracer != nil {
		b.sealed = time.Now()
	}
}

// Insert notes an insert of the batch, or of a part of it. fault is ClickHouse's code, or another word from a closed
// set; "" if the insert succeeded.
func (b *Batch) Insert(began time.Time, took time.Duration, fault string) {
	if b.tracer == nil {
		return
	}
	if b.attempts++; b.attempts == 1 {
		b.insert[0] = began
	}
	b.insert[1], b.fault = began.Add(took), fault
}
