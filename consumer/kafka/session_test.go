package kafka

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/recordbatch"
)

// asking is what partitions wait for from some offsets on.
func asking(offsets map[int32]int64) map[int32]*wanted {
	out := map[int32]*wanted{}
	for partition, offset := range offsets {
		out[partition] = newWanted(int(partition), offset, time.Minute)
	}
	return out
}

// A request names what is new, and what is not asked for any more; after an error, and without a session, everything.
func TestSession(t *testing.T) {
	all, s := map[int32]int64{0: 5, 1: 6}, &session{}
	for i, step := range []struct {
		offsets   map[int32]int64
		answer    int32 // the session's id; -1: an error
		id, epoch int32 // of the request
		named     []question
		forgotten []int32
	}{
		{all, 7, 0, 0, []question{{0, 5}, {1, 6}}, nil},
		{all, 7, 7, 1, nil, nil},
		{map[int32]int64{0: 5, 1: 8}, 7, 7, 2, []question{{1, 8}}, nil},
		{map[int32]int64{0: 5}, 7, 7, 3, nil, []int32{1}},
		{map[int32]int64{0: 4, 1: 8}, 7, 7, 4, []question{{0, 4}, {1, 8}}, nil},
		{map[int32]int64{0: 5}, -1, 7, 5, []question{{0, 5}}, []int32{1}},
		{map[int32]int64{0: 5}, 8, 7, 0, []question{{0, 5}}, nil},
		{map[int32]int64{0: 5}, 0, 8, 1, nil, nil},
		{all, 0, 0, 0, []question{{0, 5}, {1, 6}}, nil},
		{all, 9, 0, 0, []question{{0, 5}, {1, 6}}, nil},
		{all, 9, 9, 1, nil, nil},
	} {
		id, epoch := s.id, s.epoch
		var all []question
		for partition, offset := range step.offsets {
			all = append(all, question{partition, offset})
		}
		named, forgotten := s.next(all)
		slices.SortFunc(named, func(a, b question) int { return int(a.partition - b.partition) })
		assert.Equal(t, step.named, named, "step %d", i)
		assert.Equal(t, step.forgotten, forgotten, "step %d", i)
		assert.Equal(t, []int32{step.id, step.epoch}, []int32{id, epoch}, "step %d", i)
		if step.answer < 0 {
			s.end()
		} else {
			s.goOn(step.answer)
		}
	}
	for epoch, next := range map[int32]int32{math.MaxInt32 - 1: math.MaxInt32, math.MaxInt32: 1} {
		s := &session{id: 1, epoch: epoch}
		s.goOn(1)
		assert.Equal(t, next, s.epoch)
	}
}

// named notes which partitions the requests for records name, and which they take out.
type named struct {
	mu      sync.Mutex
	in, out []int32
	ids     []int32  // of the sessions
	last    [2]int32 // id and epoch: kfake shows a request several times
}

func (n *named) observe(b *broker) {
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		fetch := r.(*kmsg.FetchRequest)
		this := [2]int32{fetch.SessionID, fetch.SessionEpoch}
		if len(n.ids) > 0 && this == n.last {
			return true
		}
		n.last = this
		n.ids = append(n.ids, fetch.SessionID)
		for _, topic := range fetch.Topics {
			for _, p := range topic.Partitions {
				n.in = append(n.in, p.Partition)
			}
		}
		for _, topic := range fetch.ForgottenTopics {
			n.out = append(n.out, topic.Partitions...)
		}
		return true
	}})
}

// take returns what was noted, and begins again.
func (n *named) take() (in, out, ids []int32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	in, out, ids = n.in, n.out, n.ids
	n.in, n.out, n.ids = nil, nil, nil
	slices.Sort(in)
	return in, out, ids
}

// A broker remembers what is read of it: it answers what was not named again, and forgets what is not read. A session
// that it does not know any more is made anew within the same fetch.
func TestFetchInSession(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 3)
	f := b.FetchTogether()
	q := &fetchQueue{}
	var n named
	n.observe(b)
	request := func(offsets map[int32]int64) map[int32]int64 {
		t.Helper()
		q.waiting = asking(offsets)
		waits := slices.Collect(maps.Values(q.waiting))
		require.NoError(t, f.request(t.Context(), q, waits, 0))
		next := map[int32]int64{}
		for _, w := range waits {
			if len(w.answer) > 0 {
				got := <-w.answer
				require.NoError(t, got.err)
				for _, err := range got.answer.Records {
					require.NoError(t, err)
				}
				next[w.partition] = got.answer.Next
			}
		}
		return next
	}
	b.put(t, 0, recordbatch.Record{Value: []byte("a")})
	assert.Equal(t, map[int32]int64{0: 1}, request(map[int32]int64{0: 0, 1: 0, 2: 0}))
	in, out, ids := n.take()
	assert.Equal(t, []int32{0, 1, 2}, in)
	assert.Equal(t, []int32{0}, ids)
	assert.Empty(t, out)
	b.put(t, 1, recordbatch.Record{Value: []byte("b")})
	assert.Equal(t, map[int32]int64{1: 1}, request(map[int32]int64{0: 1, 1: 0, 2: 0}), "1 was not named again")
	in, _, ids = n.take()
	assert.Equal(t, []int32{0}, in)
	assert.NotZero(t, ids[0])
	b.put(t, 2, recordbatch.Record{Value: []byte("c")})
	assert.Empty(t, request(map[int32]int64{0: 1}), "the others are not read")
	in, out, _ = n.take()
	assert.Empty(t, in)
	assert.ElementsMatch(t, []int32{1, 2}, out)
	for _, code := range []*kerr.Error{kerr.FetchSessionIDNotFound, kerr.InvalidFetchSessionEpoch} {
		lost := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, TopLevel: true, Err: code})
		assert.Equal(t, map[int32]int64{0: 1, 1: 1, 2: 1}, request(map[int32]int64{0: 0, 1: 0, 2: 0}), code.Message)
		in, _, _ = n.take()
		assert.Equal(t, []int32{0, 1, 2}, in, code.Message)
		assert.Equal(t, 1, lost.Hits(), code.Message)
	}
}

// Whatever happens to sessions, each partition gets all its records, in order and once.
func TestFetchesInSessionsMissNothing(t *testing.T) {
	t.Parallel()
	const partitions, records = 6, 60
	b := newBroker(t, partitions)
	f := b.FetchTogether()
	var all sync.WaitGroup
	for p := range partitions {
		all.Go(func() {
			var offset int64
			for offset < records {
				wait := time.Duration(rand.IntN(20)) * time.Millisecond
				answer, err := f.Fetch(t.Context(), p, offset, wait)
				if err != nil {
					continue // an injected one
				}
				for r, err := range answer.Records {
					require.NoError(t, err)
					assert.Equal(t, offset, r.Offset, "partition %d", p)
					assert.Equal(t, strconv.FormatInt(offset, 10), string(r.Value), "partition %d", p)
					offset++
				}
			}
		})
	}
	codes := []*kerr.Error{
		kerr.FetchSessionIDNotFound, kerr.InvalidFetchSessionEpoch, kerr.UnknownServerError, kerr.NotLeaderForPartition,
	}
	for n := range records {
		for p := range partitions {
			b.put(t, p, recordbatch.Record{Value: fmt.Append(nil, n)})
		}
		code := codes[n%len(codes)]
		b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: code, TopLevel: code != kerr.NotLeaderForPartition, Count: 1 + n%2})
	}
	all.Wait()
}

// The turn goes to the partition that can wait longest, once the time of the one that has it is nearly up.
func TestTurnIsPassedOn(t *testing.T) {
	for name, c := range map[string]struct {
		left, other time.Duration
		passed      bool
	}{
		"time enough":      {shortHold, time.Hour, false},
		"nearly up":        {shortHold - 1, time.Hour, true},
		"up":               {0, 1, true},
		"twice as long":    {10 * time.Millisecond, 20 * time.Millisecond, true},
		"not so much more": {10 * time.Millisecond, 20*time.Millisecond - 1, false},
		"nobody else":      {10 * time.Millisecond, 0, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			own, short, other := newWanted(0, 0, c.left), newWanted(1, 0, 0), newWanted(2, 0, c.other)
			q := &fetchQueue{waiting: map[int32]*wanted{0: own, 1: short, 2: other}}
			assert.Equal(t, c.passed, (&Fetches{}).passOn(q, own), name)
			assert.Equal(t, c.passed, len(other.turn) == 1, name)
			assert.Empty(t, short.turn, name)
		})
	}
}

// A partition that goes just when it is given the turn gives the turn back.
func TestTurnComesTooLate(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 1)
	f := b.FetchTogether()
	q := &fetchQueue{turn: make(chan struct{}, 1), waiting: map[int32]*wanted{}}
	f.brokers[0] = q
	for range 20 {
		q.turn <- struct{}{} // somebody else has it
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 1)
		go func() {
			_, err := f.Fetch(ctx, 0, 0, time.Hour)
			gone <- err
		}()
		eventually(t, "it waits", func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			w := q.waiting[0]
			if w == nil {
				return false
			}
			cancel()
			w.turn <- struct{}{}
			return true
		})
		assert.ErrorIs(t, <-gone, context.Canceled)
		assert.Empty(t, q.turn)
	}
}
