package consumer

import (
	"encoding/binary"
	"errors"
	"github.com/google/uuid"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/consumer/rows"
	"sluice/consumer/step"
	"sluice/internal/recordbatch"
	"time"

	"github.com/cespare/xxhash/v2"
)

// batch is a run of records on its way: a range and what becomes of it.
type batch struct {
	delivery.Range
	rows      *rows.Block // from its first record on
	dead      []kafka.DeadLetter
	drop      map[string]int // events that a step dropped, by its name
	corrected int            // rows whose received_at is not what the gateway said
	hash      xxhash.Digest  // of what is in it so far

	bytes   int       // of the events
	claimed int64     // memory that the budget was told of
	gauged  int       // bytes that the gauge was told of
	since   time.Time // when its first record was fetched
	oldest  time.Time // received_at of its oldest event

	replayed bool      // it was recorded by an earlier owner
	doubt    bool      // its rows may be in the table
	jump     bool      // it is no range: go on at first, once all else is in
	topic    uuid.UUID // of a jump: the topic that it goes on with
	skip     bool      // it is no range, and not of the pool: there is no record up to last
	sent     bool      // it is sealed, and counted as such
	finished bool      // it is in; else it was abandoned
	scratch  []byte
}

func newBatch() *batch {
	b := &batch{}
	b.hash.Reset()
	return b
}

// reset empties it, but for the block, which is the budget's.
func (b *batch) reset() {
	clear(b.dead)
	b.hash.Reset()
	*b = batch{dead: b.dead[:0], hash: b.hash, scratch: b.scratch}
}

// add takes a record in: as a row, or as a dead letter if it cannot become one.
func (b *batch) add(r *recordbatch.Record, proc *processor) {
	size := len(r.Value)
	if err := proc.process(r, b.rows); err != nil {
		size = b.refuse(r, err)
	} else if at := proc.receivedAt; b.oldest.IsZero() || at.Before(b.oldest) {
		b.oldest = at
	}
	b.corrected, proc.corrected = b.corrected+proc.corrected, 0
	_, _ = b.hash.Write(b.content(r))
	b.Records++
	b.bytes += size
	b.Last, b.Term = r.Offset, r.Term
}

// refuse notes a record that becomes no row, and says what it takes, in bytes.
func (b *batch) refuse(r *recordbatch.Record, err error) int {
	var dropped *step.DroppedError
	if errors.As(err, &dropped) {
		if b.drop == nil {
			b.drop = map[string]int{}
		}
		b.drop[dropped.Step]++
		return len(r.Value)
	}
	b.dead = append(b.dead, deadLetterOf(r, err))
	return b.dead[len(b.dead)-1].Size() // its key and headers are kept too, and nothing says that they are small
}

// content is what a range's hash is made of: value and headers as a record batch has them.
func (b *batch) content(r *recordbatch.Record) []byte {
	if r.Raw != nil {
		return r.Raw
	}
	out := b.scratch[:0]
	nullable := func(v []byte) {
		n := int64(len(v))
		if v == nil {
			n = -1
		}
		out = append(binary.AppendVarint(out, n), v...)
	}
	nullable(r.Value)
	out = binary.AppendVarint(out, int64(len(r.Headers)))
	for _, h := range r.Headers {
		out = append(binary.AppendVarint(out, int64(len(h.Key))), h.Key...)
		nullable(h.Value)
	}
	b.scratch = out
	return out
}

// memory is what the budget has to know.
func (b *batch) memory() int64 {
	n := 0
	if b.rows != nil {
		n = b.rows.Bytes()
	}
	for i := range b.dead {
		n += b.dead[i].Size()
	}
	return int64(n)
}
