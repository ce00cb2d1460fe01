package budget

import (
	"testing"
	"testing/synctest"
	"time"
)

// The limit becomes half of what was too large, but never less than the minimum. It grows by an eighth a minute while
// blocks of that size are accepted.
func TestBatchSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Size{}
		if s.Limit(16<<20) != 16<<20 {
			t.Error("a limit from the start")
		}
		for _, c := range []struct {
			bytes, want int64
			lowered     bool
		}{{16 << 20, 8 << 20, true}, {20 << 20, 8 << 20, false}, {16 << 20, 8 << 20, false}, {4 << 20, 2 << 20, true}} {
			if got, lowered := s.TooLarge(c.bytes); got != c.want || lowered != c.lowered || s.Limit(16<<20) != int(c.want) {
				t.Errorf("after %d: %d, %v", c.bytes, got, lowered)
			}
		}
		const full, small = 2<<20 + 3, 4 // bytes of blocks
		for minutes, want := range []int{2 << 20, 2<<20 + 2<<17, (2<<20 + 2<<17) * 9 / 8} {
			if got := s.Limit(16 << 20); got != want {
				t.Errorf("after %d minutes: %d, want %d", minutes, got, want)
			}
			<-time.After(growEvery - 1)
			s.Fits(full)
			<-time.After(1)
			s.Fits(small)
			s.Fits(full)
			s.Fits(full)
		}
		if got, _ := s.TooLarge(1000); got != LeastBatch {
			t.Errorf("%d is below the least", got)
		}
		for range 100 {
			<-time.After(growEvery)
			s.Fits(full)
		}
		if got := s.Limit(2 << 20); got != 2<<20 {
			t.Errorf("it does not grow back: %d", got)
		}
	})
}
