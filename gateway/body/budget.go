package body

import (
	"sync/atomic"
	"time"
)

// slowBody is how long a body may take before it counts as slow.
const slowBody = 10 * time.Second

// budget bounds the bytes of all bodies in memory: being read, decompressed or parsed. A body takes from it as its
// bytes arrive; a Content-Length alone reserves nothing, because it costs the client nothing. Safe for concurrent
// use.
type budget struct {
	most    int64 // bytes; 0: no bound
	used    atomic.Int64
	refused func() // called at each refusal
}

// take reserves n bytes. A slow body may use only the first half of the budget: slow clients, however many, leave
// room for those that are done in a moment.
func (b *budget) take(n int64, slow bool) bool {
	most := b.most
	if slow {
		most /= 2
	}
	if b.used.Add(n) > most && b.most > 0 {
		b.used.Add(-n)
		b.refused()
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }
