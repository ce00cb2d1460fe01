package together

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// server answers numbers as text, a second after they were asked. Below zero it answers with an error.
type server struct {
	mu       sync.Mutex
	requests [][]int
}

var errNegative = errors.New("negative")

func (s *server) ask(ctx context.Context, all []int) []Answer[string] {
	s.mu.Lock()
	s.requests = append(s.requests, slices.Sorted(slices.Values(all)))
	s.mu.Unlock()
	select {
	case <-ctx.Done():
		return All[string](len(all), ctx.Err())
	case <-time.After(time.Second):
	}
	out := make([]Answer[string], len(all))
	for i, n := range all {
		if out[i].Value = strconv.Itoa(n); n < 0 {
			out[i] = Answer[string]{Err: errNegative}
		}
	}
	return out
}

// The first question goes at once and alone. Those that come before its answer go together. Everybody has the answer to
// his own.
func TestQuestionsGoTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		q := New(s.ask)
		var all sync.WaitGroup
		ask := func(n int, want string, err error) {
			all.Go(func() {
				got, failed := q.Ask(t.Context(), n)
				assert.Equal(t, want, got)
				assert.Equal(t, err, failed)
			})
		}
		ask(1, "1", nil)
		synctest.Wait()
		ask(2, "2", nil)
		ask(-3, "", errNegative)
		ask(2, "2", nil)
		all.Wait()
		ask(5, "5", nil)
		all.Wait()
		assert.Equal(t, [][]int{{1}, {-3, 2, 2}, {5}}, s.requests)
	})
}

// A request has as many questions as are allowed, those first that were asked first, and everybody gets his answer.
func TestQuestionsAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		q := New(s.ask).AtMost(2)
		var all sync.WaitGroup
		for n := range 6 {
			all.Go(func() {
				got, err := q.Ask(t.Context(), n)
				assert.NoError(t, err)
				assert.Equal(t, strconv.Itoa(n), got)
			})
			synctest.Wait()
		}
		all.Wait()
		assert.Equal(t, [][]int{{0}, {1, 2}, {3, 4}, {5}}, s.requests)
	})
}

// If the goroutine that makes a request for all is stopped, the others ask again. If another one is, it returns at
// once.
func TestQuestionsOutliveOneWhoAsks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		q := New(s.ask)
		stop := map[int]context.CancelFunc{}
		ended := map[int]time.Duration{}
		errs := map[int]error{}
		var mu sync.Mutex
		var all sync.WaitGroup
		began := time.Now()
		ask := func(n int) {
			ctx, cancel := context.WithCancel(t.Context())
			stop[n] = cancel
			all.Go(func() {
				_, err := q.Ask(ctx, n)
				mu.Lock()
				defer mu.Unlock()
				ended[n], errs[n] = time.Since(began), err
			})
		}
		ask(1)
		synctest.Wait()
		ask(2)
		ask(3)
		ask(4)
		<-time.After(1500 * time.Millisecond) // one of the three makes the request for all
		synctest.Wait()
		stop[2]()
		stop[3]()
		all.Wait()
		assert.Equal(t, time.Second, ended[1])
		for _, n := range []int{2, 3} {
			assert.ErrorIs(t, errs[n], context.Canceled)
			assert.Equal(t, 1500*time.Millisecond, ended[n])
		}
		assert.NoError(t, errs[4])
		assert.LessOrEqual(t, ended[4], 2500*time.Millisecond)
		for _, cancel := range stop {
			cancel()
		}
	})
}
