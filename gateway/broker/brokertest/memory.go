// Package brokertest is a broker.Producer in memory, for tests.
//
// It checks the caller's side of the contract as a broker does, drops what it already has, and fails in both ways in
// which Kafka can: with the batch not taken, and with the batch taken and the answer lost.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sluice/gateway/broker"
	"sluice/internal/event"
	"sluice/internal/outcome"
	"sluice/internal/recordbatch"
	"sluice/internal/recordbatch/batchtest"
)

// ErrDown is how every request ends while Kafka is down.
var ErrDown = fmt.Errorf("%w: connection refused", broker.ErrNotWritten)

// ErrLost is the error of a batch whose fate is unknown.
var ErrLost = errors.New("answer lost")

// Memory is a broker.Producer with three partitions. Its zero value is ready. It is safe for concurrent use.
type Memory struct {
	// Hold, if set, is what Produce waits for, until its context ends. A test sets it before it publishes.
	Hold chan struct{}

	mu      sync.Mutex
	records []batchtest.Record
	ids     int64
	next    map[sequenced]int32
	placed  []Placed
	fail    func(Placed) (taken bool, err error) // nil: never
	refuse  func() error                         // how NewID ends; nil: it gives an id
	limit   int                                  // of a batch, in bytes; 0: none
}

// sequenced is what a broker numbers the records of.
type sequenced struct {
	recordbatch.ProducerID
	Partition int
}

// Placed is a batch as it came to Produce.
type Placed struct {
	sequenced
	Sequence int32
	Records  int
}

// Produce is part of broker.Producer.
func (m *Memory) Produce(ctx context.Context, partition int, batch []byte) error {
	b, err := batchtest.Parse(batch)
	if err != nil || partition < 0 || len(b.Read) == 0 {
		return fmt.Errorf("the publisher broke its side of the contract: %w", err)
	}
	if m.Hold != nil {
		select {
		case <-m.Hold:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", broker.ErrNotWritten, ctx.Err())
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	at := sequenced{recordbatch.ProducerID{ID: b.ProducerID, Epoch: b.ProducerEpoch}, partition}
	placed := Placed{at, b.FirstSequence, len(b.Read)}
	m.placed = append(m.placed, placed)
	if m.limit > 0 && len(batch) > m.limit {
		return fmt.Errorf("%w: %d bytes", broker.ErrRefused, len(batch))
	}
	taken := true
	if m.fail != nil {
		taken, err = m.fail(placed)
	}
	switch next := m.next[at]; {
	case !taken:
		return err
	case !at.Valid() || b.FirstSequence == next:
		m.records = append(m.records, b.Read...)
		if m.next == nil {
			m.next = map[sequenced]int32{}
		}
		m.next[at] += b.NumRecords
		return err
	case b.FirstSequence == next-b.NumRecords: // a copy
		return err
	default:
		return fmt.Errorf("%w: sequence %d after %d", broker.ErrProducerID, b.FirstSequence, next)
	}
}

// NewID is part of broker.Producer.
func (m *Memory) NewID(context.Context) (recordbatch.ProducerID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != nil {
		if err := m.refuse(); err != nil {
			return recordbatch.NoProducerID, err
		}
	}
	m.ids++
	return recordbatch.ProducerID{ID: m.ids}, nil
}

// Partitions is part of broker.Producer.
func (m *Memory) Partitions(context.Context) (int, error) { return 3, nil }

// Failing makes every batch from now on end as f returns: whether it is taken, and the error of Produce; nil ends that.
func (m *Memory) Failing(f func() (taken bool, err error)) {
	if f == nil {
		m.FailingAt(nil)
		return
	}
	m.FailingAt(func(Placed) (bool, error) { return f() })
}

// FailingAt is Failing for an f that decides by the batch.
func (m *Memory) FailingAt(f func(Placed) (taken bool, err error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = f
}

// RefuseIDs makes NewID fail as f returns; nil ends that.
func (m *Memory) RefuseIDs(f func() error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = f
}

// SetLimit makes Produce refuse batches of more than n bytes; 0 ends that.
func (m *Memory) SetLimit(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = n
}

// Down makes every request fail, until Up.
func (m *Memory) Down(err error) {
	m.RefuseIDs(func() error { return err })
	m.Failing(func() (bool, error) { return false, err })
}

// Up ends Down, RefuseIDs and Failing.
func (m *Memory) Up() {
	m.RefuseIDs(nil)
	m.Failing(nil)
}

// Forget makes it forget the sequences, as if it had never given the producer ids: another process has others.
func (m *Memory) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next = nil
}

// IDs returns how many producer ids it has given.
func (m *Memory) IDs() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ids
}

// Placed returns all batches that came to Produce, in order.
func (m *Memory) Placed() []Placed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.placed)
}

// Stored returns the records of events that it has taken, in order. A gateway also publishes counts of what it refused,
// at times that no test chooses; All has those too.
func (m *Memory) Stored() []batchtest.Record {
	return slices.DeleteFunc(m.All(), func(r batchtest.Record) bool {
		return slices.ContainsFunc(r.Headers, func(h event.Header) bool {
			return h.Key == event.HeaderFormat && string(h.Value) == outcome.Format
		})
	})
}

// All returns all records that it has taken, in order.
func (m *Memory) All() []batchtest.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.records)
}

// Values returns the values of the records that it has taken, in order, each once.
func (m *Memory) Values() []string {
	var out []string
	for _, r := range m.Stored() {
		if v := string(r.Value); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Times is an argument for Failing: the first n batches end as given, and the others are taken.
func Times(n int, taken bool, err error) func() (bool, error) {
	return func() (bool, error) {
		if n--; n >= 0 {
			return taken, err
		}
		return true, nil
	}
}
