package together

import (
	"context"
	"slices"
	"sync"
)

// Questions are those of one kind. It is safe for concurrent use.
type Questions[Q, A any] struct {
	ask  func(ctx context.Context, all []Q) []Answer[A]
	most int           // questions in a request; 0: no limit
	turn chan struct{} // has one item while a request is under way

	mu    sync.Mutex
	queue []*question[Q, A]
}

// Answer is what came of one question.
type Answer[A any] struct {
	Value A
	Err   error
}

// question is one that is waiting, or under way.
type question[Q, A any] struct {
	asked  Q
	answer chan Answer[A] // has room; closed without an answer if the question has to be asked again
}

// New makes Questions. ask makes one request of at least one question, and returns the answers in the same order, one
// for each. It returns when its context ends.
func New[Q, A any](ask func(ctx context.Context, all []Q) []Answer[A]) *Questions[Q, A] {
	return &Questions[Q, A]{ask: ask, turn: make(chan struct{}, 1)}
}

// AtMost limits how many questions a request has. Those that have waited longest come first. It returns q, and is
// called before anything is asked.
func (q *Questions[Q, A]) AtMost(n int) *Questions[Q, A] {
	q.most = n
	return q
}

// All makes the answers to a number of questions that have the same error.
func All[A any](n int, err error) []Answer[A] {
	out := make([]Answer[A], n)
	for i := range out {
		out[i].Err = err
	}
	return out
}

// Ask asks one question, together with those that others ask. If ctx ends it returns the context's error at once.
func (q *Questions[Q, A]) Ask(ctx context.Context, asked Q) (A, error) {
	for ctx.Err() == nil {
		if got, ok := q.await(ctx, q.enqueue(asked)); ok {
			return got.Value, got.Err
		}
	}
	var none A
	return none, ctx.Err()
}

// await returns the answer to a question, and makes requests as long as nobody else does. It returns false if the
// question has to be asked again, or ctx ended: then whoever makes the next request asks in vain.
func (q *Questions[Q, A]) await(ctx context.Context, mine *question[Q, A]) (got Answer[A], ok bool) {
	for {
		select { // an answer that is there comes before another request
		case got, ok = <-mine.answer:
			return got, ok
		default:
		}
		select {
		case q.turn <- struct{}{}:
			q.request(ctx)
			<-q.turn
		case got, ok = <-mine.answer:
			return got, ok
		case <-ctx.Done():
			return got, false
		}
	}
}

func (q *Questions[Q, A]) enqueue(asked Q) *question[Q, A] {
	one := &question[Q, A]{asked: asked, answer: make(chan Answer[A], 1)}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queue = append(q.queue, one)
	return one
}

// request asks what is in the queue. If ctx ends first, those whose questions are not answered ask again: ctx is only
// that of one of them.
func (q *Questions[Q, A]) request(ctx context.Context) {
	q.mu.Lock()
	n := len(q.queue)
	if q.most > 0 {
		n = min(n, q.most)
	}
	all := slices.Clone(q.queue[:n])
	q.queue = slices.Delete(q.queue, 0, n)
	q.mu.Unlock()
	if len(all) == 0 {
		return
	}
	asked := make([]Q, len(all))
	for i, one := range all {
		asked[i] = one.asked
	}
	for i, got := range q.ask(ctx, asked) {
		if got.Err == nil || ctx.Err() == nil {
			all[i].answer <- got
		}
		close(all[i].answer)
	}
}
