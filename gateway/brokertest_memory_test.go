package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sluice/internal/recordbatch"
	"sluice/internal/recordbatch/batchtest"
)

// errDown is how every request ends while Kafka is down.
var errDown = fmt.Errorf("%w: connection refused", ErrNotWritten)

// errLost leaves it open what became of a batch.
var errLost = errors.New("answer lost")

// memory is a Producer in memory. It checks its side of the contract as a broker does, drops what it already has, and fails in
// both ways that Kafka can: with the batch not taken, and with the batch taken and the answer lost.
type memory struct {
	mu      sync.Mutex
	records []batchtest.Record
	batches int
	ids     int64
	next    map[sequenced]int32
	log     []placed
	fail    func() (taken bool, err error) // nil: never
	refuse  func() error                   // if set: how NewID ends
	limit   int                            // if set: how large a batch may be
	hold    chan struct{}                  // if set: Produce waits for it, or for its context
}

// sequenced is what a broker numbers the records of.
type sequenced struct {
	recordbatch.ProducerID
	partition int
}

// placed is a batch as it came to Produce.
type placed struct {
	sequenced
	sequence int32
	records  int
}

func (m *memory) Produce(ctx context.Context, partition int, batch []byte) error {
	b, err := batchtest.Parse(batch)
	if err != nil || partition < 0 || len(b.Read) == 0 {
		return fmt.Errorf("the publisher broke its side of the contract: %w", err)
	}
	if m.hold != nil {
		select {
		case <-m.hold:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNotWritten, ctx.Err())
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.batches++
	at := sequenced{recordbatch.ProducerID{ID: b.ProducerID, Epoch: b.ProducerEpoch}, partition}
	m.log = append(m.log, placed{at, b.FirstSequence, len(b.Read)})
	if m.limit > 0 && len(batch) > m.limit {
		return fmt.Errorf("%w: %d bytes", ErrRefused, len(batch))
	}
	taken := true
	if m.fail != nil {
		taken, err = m.fail()
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
		return fmt.Errorf("%w: sequence %d after %d", ErrProducerID, b.FirstSequence, next)
	}
}

func (m *memory) NewID(context.Context) (recordbatch.ProducerID, error) {
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

func (m *memory) Partitions(context.Context) (int, error) { return 3, nil }

// forget makes it forget the sequences, as if it had never known the producer ids: another process has others.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.next = nil
}

// failing makes every batch from now on end as f says.
func (m *memory) failing(f func() (taken bool, err error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = f
}

// placed lists what came to Produce.
func (m *memory) placed() []placed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]placed(nil), m.log...)
}

func (m *memory) stored() []batchtest.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]batchtest.Record(nil), m.records...)
}

// values are the stored events in order, each once.
func (m *memory) values() []string {
	var out []string
	for _, r := range m.stored() {
		if v := string(r.Value); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// down makes Kafka refuse connections, and up ends it.
func (m *memory) down(err error) {
	m.mu.Lock()
	m.refuse = func() error { return err }
	m.mu.Unlock()
	m.failing(func() (bool, error) { return false, err })
}

func (m *memory) up() {
	m.mu.Lock()
	m.refuse = nil
	m.mu.Unlock()
	m.failing(nil)
}

// times makes the first n batches end as given.
func times(n int, taken bool, err error) func() (bool, error) {
	return func() (bool, error) {
		if n--; n >= 0 {
			return taken, err
		}
		return true, nil
	}
}
