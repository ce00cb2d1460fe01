package gateway

import (
	"sluice/gateway/conn"
	"sync/atomic"

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
	if conn.IsSurplus(ctx) {
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
