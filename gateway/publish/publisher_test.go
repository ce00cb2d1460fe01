package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
	"sluice/internal/recordbatch"
	"sluice/internal/recordbatch/batchtest"
)

// sizeOf returns the bytes in flight of a request of one record with a value of that size.
func sizeOf(value int) int64 {
	return int64(len(batchtest.Run(batchtest.Plain(1, value)...)) + recordbatch.RecordOverhead)
}

func TestPublishSharesBatches(t *testing.T) {
	m := &brokertest.Memory{Hold: make(chan struct{})}
	pub := publishing(t, m, inflightBytes(1<<30))
	var all sync.WaitGroup
	for range 400 {
		all.Go(func() {
			if err := publish(pub, batchtest.Plain(1, 100), soon())[0]; err != nil {
				t.Error(err)
			}
		})
	}
	// All records are queued or under way before Kafka takes the first.
	eventually(t, func() bool { return pub.Inflight() == 400*sizeOf(100) })
	close(m.Hold)
	all.Wait()
	if got := len(m.Stored()); got != 400 {
		t.Errorf("%d records", got)
	}
	if n := len(m.Placed()); n > 2*lanes {
		t.Errorf("%d batches for 400 records that waited together", n)
	}
	if got := pub.Inflight(); got != 0 {
		t.Errorf("%d bytes still counted as in flight", got)
	}
}

func TestPublishCutsLargeRequests(t *testing.T) {
	m := &sizes{}
	pub := publishing(t, m, inflightBytes(1<<30))
	for i, err := range publish(pub, batchtest.Plain(50, 200<<10), soon()) {
		if err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if m.largest > maxBatchBytes || m.total != 50 {
		t.Errorf("largest batch %d bytes, %d records", m.largest, m.total)
	}
}

// sizes is a Producer that remembers the largest batch.
type sizes struct {
	mu             sync.Mutex
	largest, total int
}

func (s *sizes) Produce(_ context.Context, _ int, batch []byte) error {
	b, err := batchtest.Parse(batch)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.largest, s.total = max(s.largest, len(batch)), s.total+len(b.Read)
	return err
}

func (s *sizes) NewID(context.Context) (recordbatch.ProducerID, error) {
	return recordbatch.ProducerID{ID: 1}, nil
}

func (s *sizes) Partitions(context.Context) (int, error) { return 3, nil }

func TestPublishRefusesWhatDoesNotFit(t *testing.T) {
	m := &brokertest.Memory{Hold: make(chan struct{})}
	one := sizeOf(1000)
	pub := publishing(t, m, inflightBytes(3*one))
	var all sync.WaitGroup
	for range 3 { // up to the limit
		all.Go(func() {
			if err := publish(pub, batchtest.Plain(1, 1000), soon())[0]; err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, func() bool { return pub.Inflight() == 3*one })
	if err := publish(pub, batchtest.Plain(1, 1000), soon())[0]; !errors.Is(err, ErrOverloaded) {
		t.Errorf("over the limit: %v", err)
	}
	close(m.Hold)
	all.Wait()
	if err := publish(pub, batchtest.Plain(1, 1000), soon())[0]; err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestPublishRetriesUntilTheDeadline(t *testing.T) {
	m := &brokertest.Memory{}
	failures := 3
	m.Failing(func() (bool, error) {
		if failures--; failures >= 0 {
			return false, errors.New("not leader")
		}
		return true, nil
	})
	pub := publishing(t, m, inflightBytes(1<<20))
	require.NoError(t, publish(pub, batchtest.Plain(1, 10), soon())[0])
	m.Failing(func() (bool, error) { return false, errors.New("broker away") })
	start := time.Now()
	if err := publish(pub, batchtest.Plain(1, 10), start.Add(300*time.Millisecond))[0]; !errors.Is(err, ErrDeadline) {
		t.Fatalf("got %v", err)
	}
	m.Failing(func() (bool, error) { return false, fmt.Errorf("too large: %w", broker.ErrRefused) })
	// Kafka refuses everything: the topic is at fault, and it is an outage.
	require.ErrorIs(t, publishOne(pub, 300*time.Millisecond), ErrDeadline)
	m.Failing(func() (bool, error) { return false, fmt.Errorf("%w: 10 bytes", broker.ErrTooLarge) })
	if err := publish(pub, batchtest.Plain(1, 10), soon())[0]; !errors.Is(err, broker.ErrTooLarge) {
		t.Fatalf("got %v", err)
	}
}

func TestPublishByKeyKeepsOnePartition(t *testing.T) {
	seen := &partitions{of: map[string]map[int]bool{}}
	pub := publishing(t, seen, inflightBytes(1<<30))
	for i := range 300 {
		key := []byte{byte('a' + i%20)}
		require.NoError(t, publish(pub, []batchtest.Record{{Key: key, Value: []byte("x")}}, soon())[0])
	}
	used := map[int]bool{}
	for key, at := range seen.of {
		if len(at) != 1 {
			t.Errorf("key %s went to %d partitions", key, len(at))
		}
		for p := range at {
			used[p] = true
		}
	}
	if len(used) < 2 {
		t.Errorf("20 keys used %d partitions", len(used))
	}
}

// partitions is a Producer that remembers which key went where.
type partitions struct {
	mu sync.Mutex
	of map[string]map[int]bool
}

func (p *partitions) Produce(_ context.Context, partition int, batch []byte) error {
	b, err := batchtest.Parse(batch)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range b.Read {
		if p.of[string(r.Key)] == nil {
			p.of[string(r.Key)] = map[int]bool{}
		}
		p.of[string(r.Key)][partition] = true
	}
	return nil
}

func (p *partitions) NewID(context.Context) (recordbatch.ProducerID, error) {
	return recordbatch.ProducerID{ID: 1}, nil
}

func (p *partitions) Partitions(context.Context) (int, error) { return 5, nil }
