package publish

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker/brokertest"
)

// gatheringQueue is a queue of which a batch of so many requests was taken, and much more is under way.
func gatheringQueue(t *testing.T, requests int) *queue {
	t.Helper()
	q := newQueue()
	q.gather()
	pushed(q, requests)
	require.True(t, called(q))
	require.Len(t, q.take(nil, false), requests, "before the first batch nothing waits")
	require.Equal(t, requests, q.underway)
	q.underway = 100 * gatherMost
	return q
}

// pushed puts requests of one record into a queue.
func pushed(q *queue, requests int) {
	for range requests {
		q.push(&chunk{partition: -1, count: 1})
	}
}

// called takes the token of a queue, and reports whether there was one.
func called(q *queue) bool {
	select {
	case <-q.ready:
		return true
	default:
		return false
	}
}

// calledAfter is called after d.
func calledAfter(q *queue, d time.Duration) bool {
	time.Sleep(d)
	synctest.Wait()
	return called(q)
}

// Under load records wait for others, for gatherFor from the first one on.
func TestRecordsGather(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := gatheringQueue(t, gatherFrom)
		for range 3 {
			pushed(q, 1)
			require.False(t, calledAfter(q, gatherFor-1))
			pushed(q, gatherFrom-1)
			require.False(t, called(q))
			require.Empty(t, q.take(nil, false))
			require.True(t, calledAfter(q, 1))
			require.Len(t, q.take(nil, false), gatherFrom)
		}
		require.False(t, calledAfter(q, 2*gatherFor), "nothing is left")
	})
}

// Records wait only if the last batch had at least gatherFrom requests.
func TestFewRecordsDoNotWait(t *testing.T) {
	t.Parallel()
	for last, waits := range map[int]bool{gatherFrom - 1: false, gatherFrom: true, gatherFrom + 1: true} {
		q := gatheringQueue(t, last)
		pushed(q, 1)
		require.Equal(t, !waits, called(q), "after %d requests", last)
	}
	q := gatheringQueue(t, 1)
	q.push(&chunk{partition: -1, count: gatherMost})
	require.Len(t, q.take(nil, false), 1)
	pushed(q, 1)
	require.True(t, called(q), "a bulk is one request")
}

// gatherMost records wait for no others. A batch that was taken early has no part in the time of the next one.
func TestManyRecordsDoNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for n, waits := range map[int]bool{gatherMost - 1: true, gatherMost: false, gatherMost + 1: false} {
			q := gatheringQueue(t, gatherFrom)
			pushed(q, n)
			require.Equal(t, !waits, calledAfter(q, gatherFor/2), "%d records", n)
			require.Len(t, q.take(nil, true), n)
			pushed(q, 1)
			require.False(t, calledAfter(q, gatherFor-1))
			require.True(t, calledAfter(q, 1))
		}
		q := gatheringQueue(t, gatherFrom)
		q.push(&chunk{partition: -1, count: gatherMost})
		require.True(t, called(q), "a bulk")
	})
}

// As many records as are under way wait for no others.
func TestAsManyAsUnderWayDoNotWait(t *testing.T) {
	t.Parallel()
	for n, waits := range map[int]bool{gatherFrom - 1: true, gatherFrom: false, gatherFrom + 1: false} {
		q := gatheringQueue(t, gatherFrom)
		q.underway = gatherFrom
		pushed(q, n)
		require.Equal(t, !waits, called(q), "%d records", n)
	}
	q := gatheringQueue(t, gatherFrom)
	pushed(q, 1)
	require.Empty(t, q.take(nil, false))
	q.finished(q.underway)
	require.Len(t, q.take(nil, false), 1, "nothing is under way")
}

// What a full batch leaves behind is called for.
func TestRestOfAFullBatchIsCalledFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := gatheringQueue(t, gatherFrom)
		for range gatherFrom {
			q.push(&chunk{partition: -1, count: maxBatchRecords / gatherFrom})
		}
		pushed(q, 1)
		require.True(t, called(q))
		require.Len(t, q.take(nil, false), gatherFrom)
		require.False(t, calledAfter(q, gatherFor-1))
		require.True(t, calledAfter(q, 1))
		require.Len(t, q.take(nil, false), 1)
	})
}

// Nothing waits while a publisher ends.
func TestNothingWaitsAtTheEnd(t *testing.T) {
	t.Parallel()
	q := gatheringQueue(t, gatherFrom)
	pushed(q, 1)
	require.Empty(t, q.take(nil, false))
	require.Len(t, q.take(nil, true), 1)
}

// Many requests at once, also while Kafka takes nothing for a while: in the end nothing waits and nothing is under way.
func TestGatheringCountsRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &brokertest.Memory{}
		pub := publishing(t, m)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				for n := range 20 {
					if i == 0 && n == 5 {
						m.Down(brokertest.ErrDown)
						time.Sleep(100 * time.Millisecond)
						m.Up()
					}
					assert.NoError(t, publishOne(pub, 10*time.Second))
				}
			})
		}
		all.Wait()
		synctest.Wait()
		require.Len(t, m.Stored(), 200*20)
		require.Zero(t, pub.shared.underway)
		require.Zero(t, pub.shared.waiting)
	})
}
