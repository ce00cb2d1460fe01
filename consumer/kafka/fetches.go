package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sluice/internal/recordbatch"
)

// lateFor is how long an answer is kept for a partition that did not wait for it: not so long that the topic may be
// another one by then.
const lateFor = 2 * time.Second

// Fetches reads the partitions of one member with one request at a time for each broker, so that requests, connections
// and the memory for answers grow with the brokers and not with the partitions. A partition that is far behind reads on
// its own, so that it keeps nobody waiting. It is safe for concurrent use.
//
// There is no goroutine of its own: one of the partitions that wait makes the requests for all, until its own is
// answered.
type Fetches struct {
	*Client

	mu      sync.Mutex
	brokers map[int]*fetchQueue
	ends    map[int]ends // by partition: what was last said
	late    map[int]late // by partition: answers that came when nobody waited for them
}

// fetchQueue is what is wanted from one broker. Fetches guards it, but for the turn.
type fetchQueue struct {
	turn    chan struct{}     // has one item while one of the partitions makes the requests
	waiting map[int32]*wanted // by partition

	// Whoever has the turn uses these.
	next    time.Time // when the next request may be sent
	session session
	leader  int
}

// wanted is one partition's.
type wanted struct {
	question

	until  time.Time
	answer chan fetched
	turn   chan struct{} // has one item if it was given the turn
}

func newWanted(partition int, offset int64, wait time.Duration) *wanted {
	return &wanted{
		question{int32(partition), offset}, time.Now().Add(wait), make(chan fetched, 1), make(chan struct{}, 1),
	}
}

type fetched struct {
	answer *Answer
	err    error
}

// late is an answer that a partition gets when it asks again. Without it, a partition whose time is up before a slow
// broker answers would have its records sent a second time, or never get them.
type late struct {
	offset int64
	answer *Answer
	came   time.Time
}

type ends struct{ highWatermark, lastStable, logStart int64 }

// FetchTogether returns what reads the partitions of a member.
func (k *Client) FetchTogether() *Fetches {
	return &Fetches{Client: k, brokers: map[int]*fetchQueue{}, ends: map[int]ends{}, late: map[int]late{}}
}

// Fetch is Client.Fetch, together with the other partitions of the same leader. A partition that is behind, or that is
// being fetched already, is fetched alone.
func (f *Fetches) Fetch(ctx context.Context, partition int, offset int64, wait time.Duration) (*Answer, error) {
	if a := f.takeLate(partition, offset); a != nil {
		return a, nil
	}
	if f.isBehind(partition, offset) {
		return f.alone(ctx, partition, offset, wait)
	}
	leader, err := f.leaders.of(ctx, partition)
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	w := newWanted(partition, offset, wait)
	q := f.enqueue(leader, w)
	if q == nil {
		return f.alone(ctx, partition, offset, wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for done := false; !done; {
		select {
		case got := <-w.answer:
			return got.answer, got.err
		case q.turn <- struct{}{}:
			done = f.ask(ctx, q, w)
		case <-w.turn:
			done = f.ask(ctx, q, w)
		case <-timer.C: // it was not asked: the request before it is still under way
			done = true
		case <-ctx.Done():
			done = true
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if q.waiting[w.partition] == w {
		delete(q.waiting, w.partition)
	}
	select {
	case <-w.turn: // it came too late
		<-q.turn
	default:
	}
	select {
	case got := <-w.answer:
		return got.answer, got.err
	default:
	}
	return f.nothingNew(w), ctx.Err()
}

// Bounds is Client.Bounds. It tells Fetch whether a partition that was not fetched yet is behind.
func (f *Fetches) Bounds(ctx context.Context, partition int) (first, end int64, err error) {
	first, end, err = f.Client.Bounds(ctx, partition)
	if err != nil {
		return first, end, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.ends[partition]; !ok {
		f.ends[partition] = ends{end, end, first}
	}
	return first, end, nil
}

// takeLate returns what came for a partition after its time was up, if it still asks for that.
func (f *Fetches) takeLate(partition int, offset int64) *Answer {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept, ok := f.late[partition]
	delete(f.late, partition)
	if !ok || kept.offset != offset || time.Since(kept.came) > lateFor {
		return nil
	}
	return kept.answer
}

// isBehind says that there was more on the topic when its end was last seen.
func (f *Fetches) isBehind(partition int, offset int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return offset < f.ends[partition].lastStable
}

func (f *Fetches) alone(ctx context.Context, partition int, offset int64, wait time.Duration) (*Answer, error) {
	a, err := f.Client.Fetch(ctx, partition, offset, wait)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		delete(f.ends, partition)
		return nil, err
	}
	f.ends[partition] = ends{a.HighWatermark, a.LastStable, a.LogStart}
	return a, nil
}

func (f *Fetches) enqueue(leader int, w *wanted) *fetchQueue {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := f.brokers[leader]
	if q == nil {
		q = &fetchQueue{turn: make(chan struct{}, 1), waiting: map[int32]*wanted{}, leader: leader}
		f.brokers[leader] = q
	}
	if q.waiting[w.partition] != nil {
		return nil
	}
	q.waiting[w.partition] = w
	return q
}

func noRecords(func(*recordbatch.Record, error) bool) {}

// nothingNew is the answer without records, with what is known of the partition's ends.
func (f *Fetches) nothingNew(w *wanted) *Answer {
	e, ok := f.ends[int(w.partition)]
	if !ok {
		e = ends{highWatermark: w.offset, lastStable: w.offset}
	}
	return &Answer{
		HighWatermark: max(e.highWatermark, w.offset), LastStable: max(e.lastStable, w.offset), LogStart: e.logStart,
		Records: noRecords,
	}
}
