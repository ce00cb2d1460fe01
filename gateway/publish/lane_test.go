package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
	"sluice/internal/recordbatch"
	"sluice/internal/recordbatch/batchtest"
	"sluice/internal/testlog"
)

// inBubble runs a publisher over m in a bubble, whose clock jumps ahead whenever all goroutines wait.
func inBubble(t *testing.T, m broker.Producer, log slog.Handler, test func(t *testing.T, pub *Publisher)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pub := publisherFor(t, m, loggedTo(log))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); pub.Run(ctx) }()
		for pub.partitions.Load() == 0 {
			time.Sleep(time.Millisecond) // the bubble's clock
		}
		test(t, pub)
		cancel()
		<-done
		if n := pub.Inflight(); n != 0 {
			t.Errorf("%d bytes are still counted as in flight", n)
		}
	})
}

// While the fate of a batch is unknown, the same bytes are sent to the same partition again.
func TestLostAnswer(t *testing.T) {
	for name, taken := range map[string]bool{"written": true, "not written": false} {
		t.Run(name, func(t *testing.T) {
			m := &brokertest.Memory{}
			inBubble(t, m, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
				m.Failing(brokertest.Times(4, taken, brokertest.ErrLost))
				require.NoError(t, publishOne(pub, 10*time.Second))
				log := m.Placed()
				require.Len(t, log, 5)
				assert.True(t, log[0].Valid())
				assert.Zero(t, log[0].Sequence)
				assert.Len(t, slices.Compact(log), 1, "all are the same")
				if n := len(m.Stored()); n != 1 {
					t.Errorf("stored %d times", n)
				}
			})
		})
	}
}

// A request of the batch that has given up does not change the bytes that are sent again for the others.
func TestPinnedBatchStaysWhole(t *testing.T) {
	m := &brokertest.Memory{}
	inBubble(t, m, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
		m.Hold = make(chan struct{}) // made here, so that waiting for it lets the bubble's clock go on
		var all sync.WaitGroup
		for range lanes - 1 { // occupies the lanes that have a partition
			all.Go(func() {
				if err := publishOne(pub, time.Minute); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		all.Go(func() {
			if err := publishOne(pub, time.Second); !errors.Is(err, ErrDeadline) {
				t.Errorf("the impatient one: %v", err)
			}
		})
		all.Go(func() {
			if err := publishOne(pub, time.Minute); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		start := time.Now()
		m.FailingAt(func(p brokertest.Placed) (bool, error) {
			if p.Records == 2 && time.Since(start) < 10*time.Second {
				return true, brokertest.ErrLost
			}
			return true, nil
		})
		close(m.Hold)
		all.Wait()
		log := slices.DeleteFunc(m.Placed(), func(p brokertest.Placed) bool { return p.Records == 1 })
		if len(log) < 10 || len(slices.Compact(log)) != 1 {
			t.Fatalf("sent %+v", log)
		}
		if n := len(m.Stored()); n != lanes+1 {
			t.Errorf("%d records", n)
		}
	})
}

// After a batch was given up while its fate was unknown, the next batch has a new id: its sequence could be the
// other's.
func TestGivenUp(t *testing.T) {
	m := &brokertest.Memory{}
	inBubble(t, m, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
		m.Failing(func() (bool, error) { return true, brokertest.ErrLost })
		for range 6 {
			if err := publishOne(pub, 1500*time.Millisecond); !errors.Is(err, ErrDeadline) {
				t.Fatal(err)
			}
		}
		m.Failing(nil)
		for range 20 {
			require.NoError(t, publishOne(pub, 10*time.Second))
		}
		if n := len(m.Stored()); n != 26 {
			t.Errorf("%d records, want the 6 that were kept and not acknowledged and the 20 that were", n)
		}
	})
}

// A batch that was certainly not written may go to another partition, under the same id.
func TestNotWritten(t *testing.T) {
	m := &brokertest.Memory{}
	inBubble(t, m, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
		pub.partitions.Store(lanes * 3)
		m.Failing(brokertest.Times(2, false, fmt.Errorf("%w: no leader", broker.ErrNotWritten)))
		for range 30 {
			require.NoError(t, publishOne(pub, 10*time.Second))
		}
		log := m.Placed()
		assert.Equal(t, log[0].ProducerID, log[2].ProducerID)
		assert.NotEqual(t, log[0].Partition, log[1].Partition)
		assert.NotEqual(t, log[1].Partition, log[2].Partition)
		for _, p := range log {
			if p.Partition%lanes != log[0].Partition%lanes && p.ProducerID == log[0].ProducerID {
				t.Errorf("two lanes with one id: %+v", log)
			}
		}
		if n := len(m.Stored()); n != 30 {
			t.Errorf("%d records", n)
		}
	})
}

// When Kafka rejects the id, the lane takes a new one and sends the batch under it.
func TestProducerIDGone(t *testing.T) {
	m := &brokertest.Memory{}
	inBubble(t, m, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
		for range 5 {
			require.NoError(t, publishOne(pub, 10*time.Second))
		}
		before := len(m.Placed())
		m.Failing(brokertest.Times(1, false, fmt.Errorf("%w: unknown", broker.ErrProducerID)))
		require.NoError(t, publishOne(pub, 10*time.Second))
		log := m.Placed()[before:]
		if len(log) != 2 || log[0].ProducerID == log[1].ProducerID || log[1].Sequence != 0 {
			t.Errorf("sent %+v", log)
		}
		if n := len(m.Stored()); n != 6 {
			t.Errorf("%d records", n)
		}
	})
}

// A partition without a leader keeps a few batches and their lanes. All other batches are sent.
func TestStuckLaneHoldsNobodyUp(t *testing.T) {
	m := &brokertest.Memory{}
	inBubble(t, m, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
		m.FailingAt(func(p brokertest.Placed) (bool, error) {
			if p.Partition == 1 {
				return false, brokertest.ErrLost
			}
			return true, nil
		})
		var all sync.WaitGroup
		var mu sync.Mutex
		var late int
		for range 1000 { // 20 s of requests
			all.Go(func() {
				start := time.Now()
				_ = publishOne(pub, 10*time.Second)
				if time.Since(start) > time.Second {
					mu.Lock()
					late++
					mu.Unlock()
				}
			})
			time.Sleep(20 * time.Millisecond) // the bubble's clock
		}
		all.Wait()
		if late == 0 || late > 4 {
			t.Errorf("%d of 1000 requests were late", late)
		}
	})
}

// One record that Kafka does not take fails alone.
func TestRefusedBatchIsHalved(t *testing.T) {
	m := &brokertest.Memory{Hold: make(chan struct{})}
	pub := publishing(t, picky{m}, inflightBytes(1<<30))
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			size := 10
			if i == 60 {
				size = 1000
			}
			err := publish(pub, batchtest.Plain(1, size), soon())[0]
			if size == 1000 {
				assert.ErrorIs(t, err, broker.ErrRefused)
			} else {
				assert.NoError(t, err)
			}
		})
	}
	eventually(t, func() bool { return pub.Inflight() == 99*sizeOf(10)+sizeOf(1000) })
	close(m.Hold)
	all.Wait()
	if n := len(m.Stored()); n != 99 {
		t.Errorf("%d records", n)
	}
}

// picky refuses batches with a large record.
type picky struct{ *brokertest.Memory }

func (p picky) Produce(ctx context.Context, partition int, batch []byte) error {
	b, err := batchtest.Parse(batch)
	if err != nil {
		return err
	}
	<-p.Hold
	for _, r := range b.Read {
		if len(r.Value) >= 1000 {
			return broker.ErrTooLarge
		}
	}
	return p.Memory.Produce(ctx, partition, batch)
}

// Where Kafka gives no ids, the publisher sends without them, logs that once, and asks again later.
func TestWithoutProducerIDs(t *testing.T) {
	m := &brokertest.Memory{}
	m.RefuseIDs(func() error { return fmt.Errorf("%w: not authorized", broker.ErrAnswered) })
	said := &testlog.Counter{}
	inBubble(t, m, said, func(t *testing.T, pub *Publisher) {
		for range 10 {
			require.NoError(t, publishOne(pub, 10*time.Second))
		}
		for _, p := range m.Placed() {
			if p.ProducerID != recordbatch.NoProducerID || p.Sequence != -1 {
				t.Fatalf("sent %+v", p)
			}
		}
		if n := said.Of("kafka gives no producer id; a batch that is sent again may be on the topic twice"); n != 1 {
			t.Errorf("said %d times", n)
		}
		m.RefuseIDs(nil)
		time.Sleep(idAgain + time.Second) // the bubble's clock
		before := len(m.Placed())
		require.NoError(t, publishOne(pub, 10*time.Second))
		if p := m.Placed()[before]; !p.Valid() || said.Of("kafka gives producer ids") != 1 {
			t.Errorf("sent %+v", p)
		}
	})
}

// Silence is no refusal: while Kafka does not answer the request for an id, nothing is sent without one.
func TestNoIDWhileSilent(t *testing.T) {
	m := &brokertest.Memory{}
	m.RefuseIDs(func() error { return errors.New("connection refused") })
	inBubble(t, m, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
		if err := publishOne(pub, 10*time.Second); !errors.Is(err, ErrDeadline) {
			t.Fatal(err)
		}
		if log := m.Placed(); len(log) != 0 {
			t.Errorf("sent %+v", log)
		}
	})
}

// While Kafka is away requests are answered soon and nothing piles up. Only Kafka's return ends the outage.
func TestOutage(t *testing.T) {
	m := &brokertest.Memory{}
	inBubble(t, m, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
		waited := func() time.Duration {
			start := time.Now()
			if err := publishOne(pub, 10*time.Second); err == nil {
				return -1
			}
			return time.Since(start)
		}
		away := func(err error) {
			m.RefuseIDs(func() error { return err })
			m.Failing(func() (bool, error) { return false, err })
		}
		away(fmt.Errorf("%w: connection refused", broker.ErrNotWritten))
		if got := waited(); got < 9*time.Second {
			t.Errorf("the first request waited %s", got)
		}
		for range 20 {
			if got := waited(); got > outageWait+10*time.Millisecond || got < 0 {
				t.Errorf("a request waited %s", got)
			}
		}
		time.Sleep(time.Hour) // without requests; the bubble's clock
		if !pub.outage.away(time.Now()) {
			t.Error("forgotten")
		}
		m.RefuseIDs(nil)
		m.Failing(nil)
		time.Sleep(2 * outageProbe)
		if pub.outage.away(time.Now()) {
			t.Error("the return went unnoticed")
		}
		if got := waited(); got >= 0 {
			t.Errorf("failed after %s", got)
		}
		// Kafka answers and takes nothing. A sign of life does not end that.
		m.Failing(func() (bool, error) {
			return false, fmt.Errorf("%w: %w: too few replicas", broker.ErrNotWritten, broker.ErrAnswered)
		})
		waited()
		time.Sleep(time.Minute)
		if got := waited(); got > outageWait+10*time.Millisecond || got < 0 {
			t.Errorf("a request waited %s", got)
		}
		m.Failing(nil)
		if got := waited(); got >= 0 {
			t.Errorf("failed after %s", got)
		}
		if pub.outage.away(time.Now()) {
			t.Error("a success did not end it")
		}
	})
}

func TestSequences(t *testing.T) {
	i := newIdentity()
	if _, ok := i.sequence(0, 1); ok {
		t.Error("a sequence without an id")
	}
	i.begin(recordbatch.ProducerID{ID: 1})
	i.advance(2, 100)
	if a, _ := i.sequence(2, 1); a != 100 {
		t.Errorf("got %d", a)
	}
	if a, ok := i.sequence(3, 1); a != 0 || !ok {
		t.Errorf("another partition: got %d", a)
	}
	i.next[2] = math.MaxInt32 - 10
	if _, ok := i.sequence(2, 9); !ok {
		t.Error("the last sequences are not used")
	}
	if _, ok := i.sequence(2, 10); ok {
		t.Error("a batch may run past the last sequence")
	}
}

func TestQueueTakesOnePartition(t *testing.T) {
	q := newQueue()
	for i := range 12 {
		q.push(&chunk{partition: i % 3, records: make([]byte, i)})
	}
	q.push(&chunk{partition: 0, records: make([]byte, maxBatchBytes)})
	q.push(&chunk{partition: 0, records: make([]byte, 1)})
	for _, want := range [][]int{{0, 3, 6, 9}, {1, 4, 7, 10}, {2, 5, 8, 11}, {maxBatchBytes}, {1}, nil} {
		var got []int
		for _, c := range q.take(nil, false) {
			got = append(got, c.size())
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
	if !q.empty() {
		t.Error("not empty")
	}
}
