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

// busyQueue is a queue to which many requests come, and of which much is under way.
func busyQueue(t *testing.T) *queue {
	t.Helper()
	q := newQueue()
	q.gather()
	pushed(q, 1)
	require.True(t, called(q))
	require.Len(t, q.take(nil, false), 1, "at first nothing waits")
	require.Equal(t, 1, q.underway)
	q.busy, q.underway = true, 100*gatherMost
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
		q := busyQueue(t)
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

// Records wait only while many requests come. A bulk is one request.
func TestFewRequestsDoNotWait(t *testing.T) {
	t.Parallel()
	const many = gatherFrom * int(gatherLook/gatherFor)
	for name, tc := range map[string]struct {
		after    time.Duration
		requests int
		records  int // of each
		waits    bool
	}{
		"one too few":      {gatherLook, many - 1, 1, false},
		"just enough":      {gatherLook, many, 1, true},
		"one more":         {gatherLook, many + 1, 1, true},
		"bulks":            {gatherLook, many - 1, 10, false},
		"not yet looked":   {gatherLook - 1, 10 * many, 1, false},
		"over a long time": {10 * gatherLook, 10*many - 1, 1, false},
		"for long":         {10 * gatherLook, 10 * many, 1, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue()
			q.gather()
			pushed(q, 1)
			require.Len(t, q.take(nil, false), 1)
			called(q)
			q.underway = 100 * gatherMost
			time.Sleep(tc.after)
			for range tc.requests {
				q.push(&chunk{partition: -1, count: tc.records})
			}
			require.Len(t, q.take(nil, false), tc.requests)
			called(q)
			pushed(q, 1)
			require.Equal(t, !tc.waits, called(q), name)
		})
	}
}

// gatherMost records wait for no others. A batch that was taken early has no part in the time of the next one.
func TestManyRecordsDoNotWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for n, waits := range map[int]bool{gatherMost - 1: true, gatherMost: false, gatherMost + 1: false} {
			q := busyQueue(t)
			pushed(q, n)
			require.Equal(t, !waits, calledAfter(q, gatherFor/2), "%d records", n)
			require.Len(t, q.take(nil, true), n)
			pushed(q, 1)
			require.False(t, calledAfter(q, gatherFor-1))
			require.True(t, calledAfter(q, 1))
		}
		q := busyQueue(t)
		q.push(&chunk{partition: -1, count: gatherMost})
		require.True(t, called(q), "a bulk")
	})
}

// The answer to the last batch under way ends the waiting.
func TestNothingWaitsWhenNothingIsUnderWay(t *testing.T) {
	t.Parallel()
	q := busyQueue(t)
	pushed(q, 1)
	q.finished(q.underway - 1)
	require.Empty(t, q.take(nil, false))
	q.finished(1)
	require.Len(t, q.take(nil, false), 1)
	pushed(q, 1)
	require.False(t, called(q), "the batch that was just taken is under way")
	q.finished(1)
	pushed(q, 1)
	require.True(t, called(q))
}

// What a full batch leaves behind is called for.
func TestRestOfAFullBatchIsCalledFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := busyQueue(t)
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
	q := busyQueue(t)
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
