package hands

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// Items are begun in order, at most so many at a time, each by a hand that has no other one.
func TestHandsWorkOffAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var begun []int
		busy := map[int]bool{}
		most := 0
		h := New(2, func(hand int, item int) {
			mu.Lock()
			assert.False(t, busy[hand])
			assert.Less(t, hand, 2)
			busy[hand] = true
			begun = append(begun, item)
			most = max(most, len(busy))
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			delete(busy, hand)
			mu.Unlock()
		})
		h.Wait()
		for n := range 5 {
			h.Put(n)
			synctest.Wait()
		}
		began := time.Now()
		h.Wait()
		assert.Equal(t, []int{0, 1, 2, 3, 4}, begun)
		assert.Equal(t, 2, most)
		assert.Equal(t, 3*time.Second, time.Since(began))
		h.Put(5)
		h.Wait()
		assert.Len(t, begun, 6)
	})
}
