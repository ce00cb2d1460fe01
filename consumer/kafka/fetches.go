package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"sluice/internal/backoff"
	"sluice/internal/recordbatch"
)

const (
	// fetchGap is the shortest time between two requests to one broker, and fetchGapEach what each of its partitions
	// adds, up to maxFetchGap: a request costs the broker some microseconds for each partition that it names. What
	// arrives in a gap is read by the next request.
	fetchGap     = 10 * time.Millisecond
	fetchGapEach = 30 * time.Microsecond
	maxFetchGap  = 100 * time.Millisecond
	// partWait is how long the broker may hold a request if partitions of it are missing, because they still deal with
	// what they have read.
	partWait = 50 * time.Millisecond
	// lateFor is how long an answer is kept for a partition that did not wait for it: not so long that the topic may be
	// another one by then.
	lateFor = 2 * time.Second
)

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
	next    time.Time         // when the next request may be sent; whoever has the turn uses it
}

// wanted is one partition's.
type wanted struct {
	question

	until  time.Time
	answer chan fetched
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
	w := &wanted{question{int32(partition), offset}, time.Now().Add(wait), make(chan fetched, 1)}
	q := f.enqueue(leader, w)
	if q == nil {
		return f.alone(ctx, partition, offset, wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case got := <-w.answer:
		return got.answer, got.err
	case q.turn <- struct{}{}:
		got, ok := f.ask(ctx, leader, q, w)
		<-q.turn
		if ok {
			return got.answer, got.err
		}
	case <-timer.C: // it was not asked: the request before it is still under way
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if q.waiting[w.partition] == w {
		delete(q.waiting, w.partition)
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
		q = &fetchQueue{turn: make(chan struct{}, 1), waiting: map[int32]*wanted{}}
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

// ask makes requests until a partition's own is answered, or ctx ended.
func (f *Fetches) ask(ctx context.Context, leader int, q *fetchQueue, own *wanted) (fetched, bool) {
	for {
		select {
		case got := <-own.answer:
			return got, true
		default:
		}
		if !backoff.Sleep(ctx, time.Until(q.next)) {
			return fetched{}, false
		}
		f.mu.Lock()
		all := slices.Collect(maps.Values(q.waiting)) // in another order each time, which is fair
		wait := f.holdFor(leader, all)
		f.mu.Unlock()
		if len(all) == 0 {
			continue // own is answered
		}
		q.next = time.Now().Add(gapAfter(len(all)))
		if err := f.request(ctx, q, all, wait); err != nil && ctx.Err() == nil {
			f.leaders.forget()
			for _, w := range all {
				f.reply(q, w, nil, err)
			}
		}
		if ctx.Err() != nil {
			return fetched{}, false
		}
		f.replyLate(q, all)
	}
}

// gapAfter is the time from one request, for a number of partitions, to the next.
func gapAfter(partitions int) time.Duration {
	return min(fetchGap+time.Duration(partitions)*fetchGapEach, maxFetchGap)
}

// holdFor is how long the broker may hold a request for some of its partitions.
func (f *Fetches) holdFor(leader int, all []*wanted) time.Duration {
	most := 500 * time.Millisecond
	led, leaders := 0, f.leaders.all()
	for partition := range f.ends {
		if leaders[partition] == leader {
			led++
		}
	}
	if len(all) < led {
		most = partWait
	}
	for _, w := range all {
		most = min(most, time.Until(w.until))
	}
	return max(0, most)
}

// reply answers a partition.
func (f *Fetches) reply(q *fetchQueue, w *wanted, a *Answer, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if q.waiting[w.partition] != w {
		return // it does not wait any more
	}
	delete(q.waiting, w.partition)
	w.answer <- fetched{a, err}
}

// deliver answers a partition with records: also if it has asked for them again meanwhile, or will.
func (f *Fetches) deliver(q *fetchQueue, asked question, a *Answer, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch w := q.waiting[asked.partition]; {
	case w != nil && w.question == asked:
		delete(q.waiting, asked.partition)
		w.answer <- fetched{a, err}
	case err == nil:
		f.late[int(asked.partition)] = late{asked.offset, a, time.Now()}
	}
}

// replyLate answers the partitions whose time is up without records.
func (f *Fetches) replyLate(q *fetchQueue, all []*wanted) {
	for _, w := range all {
		if time.Until(w.until) <= 0 {
			f.mu.Lock()
			a := f.nothingNew(w)
			f.mu.Unlock()
			f.reply(q, w, a, nil)
		}
	}
}

// request fetches once, and answers the partitions that there is something for. An error is of the request as a whole.
func (f *Fetches) request(ctx context.Context, q *fetchQueue, all []*wanted, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait+requestTimeout)
	defer cancel()
	raw := f.rawFetch()
	byID, questions := make(map[int32]*wanted, len(all)), make([]question, len(all))
	for i, w := range all {
		byID[w.partition], questions[i] = w, w.question
	}
	raw.ask(f.conn.Topic, wait, questions...)
	if _, err := f.transport.RoundTrip(ctx, f.client.Addr, raw); err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	defer f.fetches.Put(raw)
	r, n, err := raw.answer.open()
	if err == nil && raw.answer.code != 0 {
		err = raw.answer.code
	}
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	for range n {
		id, a := raw.answer.partition(&r)
		if r.Short {
			return fmt.Errorf("fetch: %w", errShortAnswer)
		}
		if w := byID[id]; w != nil {
			f.take(q, w, a, &raw.answer)
		}
	}
	return nil
}

// take gives a partition what an answer has for it. Its records are copied, because the answer's memory is used again.
func (f *Fetches) take(q *fetchQueue, w *wanted, a *Answer, from *rawAnswer) {
	f.mu.Lock()
	if from.code == 0 {
		f.ends[int(w.partition)] = ends{a.HighWatermark, a.LastStable, a.LogStart}
	} else {
		f.leaders.forget()
	}
	f.mu.Unlock()
	if from.code == 0 && len(from.records) == 0 {
		return
	}
	own := f.rawFetch()
	own.answer.code = from.code
	own.answer.bytes = append(own.answer.bytes[:0], from.records...)
	own.answer.records = own.answer.bytes
	own.answer.aborted = append(own.answer.aborted[:0], from.aborted...)
	answer, err := f.answered(own, a, nil, w.offset)
	f.deliver(q, w.question, answer, err)
}
