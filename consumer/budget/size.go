package budget

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// LeastBatch is the lowest limit, in bytes of events.
	LeastBatch = 64 << 10
	// growEvery is how long a limit stays as it is, after it was lowered or raised.
	growEvery = time.Minute
	// maxBatchBytes is the most that --batch-bytes may be.
	maxBatchBytes = 256 << 20
)

// Size is how large ClickHouse lets batches be, for all partitions. After a block that is too large, the next ones
// are cut at half of its size. While such blocks go in, the limit rises by an eighth a minute: the reason may have
// passed. It is safe for concurrent use. Nil is no limit.
type Size struct {
	most atomic.Int64 // bytes; 0: no limit

	mu      sync.Mutex
	changed time.Time
}

// Limit is how many bytes of events a batch may have, at most as many as configured.
func (s *Size) Limit(configured int) int {
	if s == nil {
		return configured
	}
	if most := s.most.Load(); most > 0 {
		return int(min(most, int64(configured)))
	}
	return configured
}

// Limited says whether there is a limit for blocks, which reached knows.
func (s *Size) Limited() bool { return s != nil && s.most.Load() > 0 }

// Reached says whether a block of a number of bytes is as large as ClickHouse lets it be. A block of small events is
// several times as large as the events.
func (s *Size) Reached(bytes int) bool { return s.Limited() && int64(bytes) >= s.most.Load() }

// TooLarge takes the size of a block that was too large. It returns the limit, and whether the block has lowered it.
func (s *Size) TooLarge(bytes int64) (limit int64, lowered bool) {
	if s == nil {
		return 0, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	most, half := s.most.Load(), max(bytes/2, LeastBatch)
	if most > 0 && most <= half {
		return most, false
	}
	s.most.Store(half)
	s.changed = time.Now()
	return half, true
}

// Fits takes the bytes of a block that went in.
func (s *Size) Fits(bytes int) {
	if !s.Limited() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.most.Load()
	if int64(bytes) < most/4*3 || time.Since(s.changed) < growEvery {
		return
	}
	s.changed = time.Now()
	if most += most / 8; most > maxBatchBytes {
		most = 0
	}
	s.most.Store(most)
}
