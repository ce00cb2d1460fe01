package kafka

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/recordbatch"
)

// readTogether fetches and copies the values.
func readTogether(t *testing.T, f *Fetches, partition int, offset int64, wait time.Duration) ([]string, *Answer) {
	t.Helper()
	answer, err := f.Fetch(t.Context(), partition, offset, wait)
	require.NoError(t, err)
	var got []string
	for r, err := range answer.Records {
		require.NoError(t, err)
		got = append(got, string(r.Value))
	}
	return got, answer
}

// Many partitions are read by few requests, each gets its own records from its own offset on, and nobody waits for
// longer than it said.
func TestFetchTogether(t *testing.T) {
	t.Parallel()
	const partitions = 20
	b := newBroker(t, partitions)
	for p := range partitions {
		b.put(t, p, recordbatch.Record{Value: fmt.Append(nil, p, "a")})
	}
	f := b.FetchTogether()
	requests := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
	round := func(offset int64, want string) {
		var all sync.WaitGroup
		for p := range partitions {
			all.Go(func() {
				got, at := readTogether(t, f, p, offset, time.Minute)
				assert.Equal(t, []string{fmt.Sprint(p, want)}, got)
				assert.Equal(t, offset+1, at.Next)
				assert.Equal(t, offset+1, at.HighWatermark)
			})
		}
		if offset > 0 {
			for p := range partitions {
				b.put(t, p, recordbatch.Record{Value: fmt.Append(nil, p, want)})
			}
		}
		all.Wait()
	}
	round(0, "a")
	assert.LessOrEqual(t, requests.Hits(), partitions/2, "requests for %d partitions", partitions)
	round(1, "b")
	began := time.Now()
	got, at := readTogether(t, f, 0, 2, 100*time.Millisecond)
	assert.Empty(t, got)
	assert.Equal(t, int64(2), at.HighWatermark)
	assert.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond)
}

// A partition that is far behind is read beside the others, and does not wait for a request that waits for them.
func TestFetchBehind(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 2)
	for range 3 {
		b.put(t, 1, recordbatch.Record{Value: []byte("x")})
	}
	f := b.FetchTogether()
	f.ends[1] = ends{lastStable: 3}
	ctx, cancel := context.WithCancel(t.Context())
	idle := make(chan error, 1)
	go func() {
		_, err := f.Fetch(ctx, 0, 0, time.Hour)
		idle <- err
	}()
	held := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
	require.NoError(t, held.Wait(patience(t), 1))
	for offset := range int64(3) {
		got, _ := readTogether(t, f, 1, offset, time.Hour)
		assert.NotEmpty(t, got)
	}
	cancel()
	assert.ErrorIs(t, <-idle, context.Canceled)
}

// Records that a slow broker sends when a partition's time is up are the partition's when it asks again: not for
// another offset, and not much later.
func TestFetchLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		offset int64
		age    time.Duration
		kept   bool
	}{"the same": {0, 0, true}, "another offset": {1, 0, false}, "much later": {0, lateFor + time.Second, false}} {
		b := newBroker(t, 1)
		b.put(t, 0, recordbatch.Record{Value: []byte("a")})
		b.put(t, 0, recordbatch.Record{Value: []byte("b")})
		f := b.FetchTogether()
		requests := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
		w := newWanted(0, 0, 0) // which has gone
		require.NoError(t, f.request(t.Context(), &fetchQueue{waiting: map[int32]*wanted{}}, []*wanted{w}, 0), name)
		assert.Empty(t, w.answer)
		kept := f.late[0]
		kept.came = kept.came.Add(-c.age)
		f.late[0] = kept
		before := requests.Hits()
		got, _ := readTogether(t, f, 0, c.offset, time.Minute)
		assert.Equal(t, []string{"a", "b"}[c.offset:], got, name)
		assert.Equal(t, c.kept, requests.Hits() == before, name)
		assert.Empty(t, f.late, name)
	}
}

// Records that come for a partition that has asked for them again are the answer to that.
func TestFetchLateForTheNextQuestion(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	b.put(t, 0, recordbatch.Record{Value: []byte("a")})
	f := b.FetchTogether()
	for asksFor, gets := range map[int64]bool{0: true, 1: false} {
		again := newWanted(0, asksFor, 0)
		q := &fetchQueue{waiting: map[int32]*wanted{0: again}}
		gone := newWanted(0, 0, 0)
		require.NoError(t, f.request(t.Context(), q, []*wanted{gone}, 0))
		assert.Equal(t, gets, len(again.answer) == 1)
		assert.Equal(t, gets, len(q.waiting) == 0)
	}
}

// Whoever makes the requests may end; another partition makes them then.
func TestFetchTogetherIsHandedOver(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 2)
	f := b.FetchTogether()
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	requests := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
	go func() {
		_, err := f.Fetch(ctx, 0, 0, time.Hour)
		first <- err
	}()
	require.NoError(t, requests.Wait(patience(t), 1))
	second := make(chan []string, 1)
	go func() {
		got, _ := readTogether(t, f, 1, 0, time.Minute)
		second <- got
	}()
	cancel()
	assert.ErrorIs(t, <-first, context.Canceled)
	b.put(t, 1, recordbatch.Record{Value: []byte("x")})
	assert.Equal(t, []string{"x"}, <-second)
}

// An error of a partition is its own, and one of the request is everybody's. Afterwards fetches go on.
func TestFetchTogetherErrors(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 2)
	b.put(t, 0, recordbatch.Record{Value: []byte("x")})
	f := b.FetchTogether()
	_, err := f.Fetch(t.Context(), 1, 99, time.Minute)
	assert.ErrorIs(t, err, ErrOffsetOutOfRange)
	got, _ := readTogether(t, f, 0, 0, time.Minute)
	assert.Equal(t, []string{"x"}, got)
	for _, code := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownTopicOrPartition} {
		fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: code, Count: -1})
		_, err = f.Fetch(t.Context(), 0, 1, time.Minute)
		fault.Remove()
		assert.Error(t, err, code.Message)
	}
	b.put(t, 0, recordbatch.Record{Value: []byte("y")})
	got, _ = readTogether(t, f, 0, 1, time.Minute)
	assert.Equal(t, []string{"y"}, got)
	_, err = f.Fetch(t.Context(), 7, 0, time.Minute)
	assert.Error(t, err, "there is no such partition")
}
