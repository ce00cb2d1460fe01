package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"

	"sluice/internal/backoff"
)

const (
	// fetchGap is the shortest time between two requests to one broker, and fetchGapEach what each of its partitions
	// adds, up to maxFetchGap: a request costs the broker some microseconds for each partition of the session. What
	// arrives in a gap is read by the next request.
	fetchGap     = 10 * time.Millisecond
	fetchGapEach = 10 * time.Microsecond
	maxFetchGap  = 100 * time.Millisecond
	// maxHold is how long the broker may hold a request, and partWait how long if partitions of it are missing, because
	// they still deal with what they have read.
	maxHold  = 500 * time.Millisecond
	partWait = 50 * time.Millisecond
	// shortHold is a hold so short that another partition had better make the request.
	shortHold = 100 * time.Millisecond
)

// ask makes requests until a partition's own is answered, its time is up or ctx ended, and gives the turn back. It is
// not done if it passes the turn on to another partition.
func (f *Fetches) ask(ctx context.Context, q *fetchQueue, own *wanted) (done bool) {
	for ctx.Err() == nil && len(own.answer) == 0 {
		if f.passOn(q, own) {
			return false
		}
		if !backoff.Sleep(ctx, time.Until(q.next)) {
			break
		}
		f.mu.Lock()
		all := slices.Collect(maps.Values(q.waiting)) // in another order each time, which is fair
		wait := f.holdFor(q.leader, len(all), own)
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
		if ctx.Err() == nil {
			f.replyLate(q, all)
		}
	}
	<-q.turn
	return true
}

// passOn gives the turn of a partition whose time is nearly up to the one that can wait longest, if there is one: the
// broker would hold a request only for so long.
func (f *Fetches) passOn(q *fetchQueue, own *wanted) bool {
	left := time.Until(own.until)
	if left >= shortHold {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var to *wanted
	for _, w := range q.waiting {
		if to == nil || w.until.After(to.until) {
			to = w
		}
	}
	if to == nil || to == own || time.Until(to.until) < 2*left {
		return false
	}
	to.turn <- struct{}{}
	return true
}

// gapAfter is the time from one request, for a number of partitions, to the next.
func gapAfter(partitions int) time.Duration {
	return min(fetchGap+time.Duration(partitions)*fetchGapEach, maxFetchGap)
}

// holdFor is how long the broker may hold a request for a number of partitions. Whoever makes the request can wait no
// longer than it said; the others watch their time themselves.
func (f *Fetches) holdFor(leader, partitions int, own *wanted) time.Duration {
	most := maxHold
	led, leaders := 0, f.leaders.all()
	for partition := range f.ends {
		if leaders[partition] == leader {
			led++
		}
	}
	if partitions < led {
		most = partWait
	}
	return max(0, min(most, time.Until(own.until)))
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
	err := f.requestInSession(ctx, q, all, wait)
	if errors.Is(err, kafka.FetchSessionIDNotFound) || errors.Is(err, kafka.InvalidFetchSessionEpoch) {
		q.session.end()
		err = f.requestInSession(ctx, q, all, wait)
	}
	if err != nil {
		q.session.end()
		return fmt.Errorf("fetch: %w", err)
	}
	return nil
}

func (f *Fetches) requestInSession(ctx context.Context, q *fetchQueue, all []*wanted, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait+requestTimeout)
	defer cancel()
	raw := f.rawFetch()
	byID, questions := make(map[int32]*wanted, len(all)), make([]question, len(all))
	for i, w := range all {
		byID[w.partition], questions[i] = w, w.question
	}
	raw.askInSession(f.conn.Topic, wait, q.leader, &q.session, questions)
	if _, err := f.transport.RoundTrip(ctx, f.client.Addr, raw); err != nil {
		return err
	}
	defer f.fetches.Put(raw)
	r, n, err := raw.answer.open()
	if err == nil && raw.answer.code != 0 {
		err = raw.answer.code
	}
	if err != nil {
		return err
	}
	for range n {
		id, a := raw.answer.partition(&r)
		if r.Short {
			return errShortAnswer
		}
		if w := byID[id]; w != nil {
			f.take(q, w, a, &raw.answer)
		}
	}
	q.session.goOn(raw.answer.session)
	return nil
}

// askInSession makes the request for some partitions.
func (f *rawFetch) askInSession(topic string, wait time.Duration, broker int, s *session, all []question) {
	f.broker = broker
	named, forgotten := s.next(all)
	f.request = newFetch(topic, wait, named...)
	f.request.SessionID, f.request.SessionEpoch = s.id, s.epoch
	if len(forgotten) > 0 {
		f.request.ForgottenTopics = []fetchapi.RequestForgottenTopic{{Topic: topic, Partitions: forgotten}}
	}
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
