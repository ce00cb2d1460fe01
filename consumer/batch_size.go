package consumer

import (
	"sluice/consumer/rows"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// leastBatch is how small batches are made at most, in bytes of events.
	leastBatch = 64 << 10
	// growEvery is how long batches stay as large as they are after they became smaller, or a little larger again.
	growEvery = time.Minute
)

// batchSize is how large ClickHouse lets batches be, for all partitions. A block that is too large has the next ones cut at half of its
// size. As long as such blocks go in, they grow by an eighth a minute: what made the large one fail may have passed. Nil is no limit.
type batchSize struct {
	most atomic.Int64 // bytes; 0: no limit

	mu      sync.Mutex
	changed time.Time
}

// limit is how many bytes a batch may have that may have so many by the settings.
func (s *batchSize) limit(configured int) int {
	if s == nil {
		return configured
	}
	if most := s.most.Load(); most > 0 {
		return int(min(most, int64(configured)))
	}
	return configured
}

// reached says whether a block is as large as ClickHouse lets it be. A block is larger than the events that it is made of, by several times
// where these are small.
func (s *batchSize) reached(b *rows.Block) bool {
	if s == nil {
		return false
	}
	most := s.most.Load()
	return most > 0 && int64(b.Bytes()) >= most
}

// tooLarge takes the size of a block that was too large. It returns the limit, and whether this has lowered it.
func (s *batchSize) tooLarge(bytes int64) (limit int64, lowered bool) {
	if s == nil {
		return 0, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	most, half := s.most.Load(), max(bytes/2, leastBatch)
	if most > 0 && most <= half {
		return most, false
	}
	s.most.Store(half)
	s.changed = time.Now()
	return half, true
}

// fits notes that a block of some bytes went in.
func (s *batchSize) fits(bytes int) {
	if s == nil || s.most.Load() == 0 {
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

// maxBatchBytes is the most that --batch-bytes may be.
const maxBatchBytes = 256 << 20
