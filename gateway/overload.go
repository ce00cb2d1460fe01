package gateway

import (
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// What the metrics call the limits that keep the gateway itself from harm.
const (
	limitFailedKeys    = "failed_keys"
	limitRequests      = "inflight_requests"
	limitBodyBytes     = "body_bytes"
	limitInflightBytes = "inflight_bytes"
	limitQueueWait     = "queue_wait"
	limitConnections   = "connections"
)

// load refuses requests while the gateway has more to do than it can do in time. It is asked once the key is known and before
// the body is read, so that a refusal costs next to nothing and what can be done goes on being done: without it every
// request would be read, wait, and time out.
type load struct {
	most     int64 // requests; 0: any number
	requests atomic.Int64
	wait     func() bool // says whether the queue in front of Kafka is too long
	metrics  *metrics
}

var errOverload = refuse(kindUnavailable, "The gateway is overloaded.")

// enter lets a request in, which then has to leave, or says why not.
func (l *load) enter(ctx *fasthttp.RequestCtx) *problem {
	if isSurplus(ctx) {
		return errOverload // counted with its connection
	}
	if n := l.requests.Add(1); l.most > 0 && n > l.most {
		l.requests.Add(-1)
		l.metrics.turnedAway(limitRequests)
		return errOverload
	}
	if l.wait() {
		l.requests.Add(-1)
		l.metrics.turnedAway(limitQueueWait)
		return errOverload
	}
	return nil
}

func (l *load) leave() { l.requests.Add(-1) }

// budget bounds the bytes of all bodies that are in memory to be read, decompressed and parsed. A body's first bytes are
// free (see freeBody), so that a small event never depends on what others send; the rest is taken as it comes, because a
// Content-Length costs nothing to write.
type budget struct {
	most    int64 // 0: no bound
	used    atomic.Int64
	metrics *metrics
}

// take reserves n bytes. A slow body may use only the first half of the budget, so that slow clients, however many, leave
// room for those who are done in a moment.
func (b *budget) take(n int64, slow bool) bool {
	most := b.most
	if slow {
		most /= 2
	}
	if b.used.Add(n) > most && b.most > 0 {
		b.used.Add(-n)
		b.metrics.turnedAway(limitBodyBytes)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

// slowBody is how long a body may take before it counts as slow.
const slowBody = 10 * time.Second
