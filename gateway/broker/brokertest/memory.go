package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"sluice/gateway/broker"
	"sluice/internal/recordbatch"
	"sluice/internal/recordbatch/batchtest"
)

// ErrDown is how every request ends while Kafka is down.
var ErrDown = fmt.Errorf("%w: connection refused", broker.ErrNotWritten)

// ErrLost leaves it open what became of a batch.
var ErrLost = errors.New("answer lost")

// Memory is a Producer in memory. It checks its side of the contract as a broker does, drops what it already has, and fails in
// both ways that Kafka can: with the batch not taken, and with the batch taken and the answer lost.
type Memory struct {
	Mu      sync.Mutex
	records []batchtest.Record
	Batches int
	Ids     int64
	next    map[sequenced]int32
	Log     []Placed
	fail    func() (taken bool, err error) // nil: never
	Refuse  func() error                   // if set: how NewID ends
	Limit   int                            // if set: how large a batch may be
	Hold    chan struct{}                  // if set: Produce waits for it, or for its context
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
	m.Mu.Lock()
	defer m.Mu.Unlock()
	m.Batches++
	at := sequenced{recordbatch.ProducerID{ID: b.ProducerID, Epoch: b.ProducerEpoch}, partition}
	m.Log = append(m.Log, Placed{at, b.FirstSequence, len(b.Read)})
	if m.Limit > 0 && len(batch) > m.Limit {
		return fmt.Errorf("%w: %d bytes", broker.ErrRefused, len(batch))
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
		return fmt.Errorf("%w: sequence %d after %d", broker.ErrProducerID, b.FirstSequence, next)
	}
}

func (m *Memory) NewID(context.Context) (recordbatch.ProducerID, error) {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	if m.Refuse != nil {
		if err := m.Refuse(); err != nil {
			return recordbatch.NoProducerID, err
		}
	}
	m.Ids++
	return recordbatch.ProducerID{ID: m.Ids}, nil
}

func (m *Memory) Partitions(context.Context) (int, error) { return 3, nil }

// Forget makes it forget the sequences, as if it had never known the producer ids: another process has others.
func (m *Memory) Forget() {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	m.next = nil
}

// Failing makes every batch from now on end as f says.
func (m *Memory) Failing(f func() (taken bool, err error)) {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	m.fail = f
}

// Placed lists what came to Produce.
func (m *Memory) Placed() []Placed {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	return append([]Placed(nil), m.Log...)
}

func (m *Memory) Stored() []batchtest.Record {
	m.Mu.Lock()
	defer m.Mu.Unlock()
	return append([]batchtest.Record(nil), m.records...)
}

// Values are the stored events in order, each once.
func (m *Memory) Values() []string {
	var out []string
	for _, r := range m.Stored() {
		if v := string(r.Value); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Down makes Kafka refuse connections, and up ends it.
func (m *Memory) Down(err error) {
	m.Mu.Lock()
	m.Refuse = func() error { return err }
	m.Mu.Unlock()
	m.Failing(func() (bool, error) { return false, err })
}

func (m *Memory) Up() {
	m.Mu.Lock()
	m.Refuse = nil
	m.Mu.Unlock()
	m.Failing(nil)
}

// Times makes the first n batches end as given.
func Times(n int, taken bool, err error) func() (bool, error) {
	return func() (bool, error) {
		if n--; n >= 0 {
			return taken, err
		}
		return true, nil
	}
}
