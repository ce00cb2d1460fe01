package ingest

import (
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"sluice/gateway/conn"
)

// overload refuses requests while the gateway has more work than it can finish in time. It decides after the key is
// known and before the body is read, so that a refusal costs little. Without it every request would be read, wait,
// and time out.
//
// Safe for concurrent use.
type overload struct {
	max       int64 // requests under way; 0: no bound
	requests  atomic.Int64
	congested func() bool // reports whether the queue in front of Kafka is too long
	metrics   *Metrics
}

var errOverload = Refuse(KindUnavailable, "The gateway is overloaded.")

// enter counts a request as under way until leave is called, or refuses it.
func (o *overload) enter(ctx *fasthttp.RequestCtx) *Problem {
	if conn.IsExcess(ctx) {
		return errOverload // counted with its connection
	}
	if n := o.requests.Add(1); o.max > 0 && n > o.max {
		o.requests.Add(-1)
		o.metrics.turnedAway(LimitRequests)
		return errOverload
	}
	if o.congested() {
		o.requests.Add(-1)
		o.metrics.turnedAway(LimitQueueWait)
		return errOverload
	}
	return nil
}

func (o *overload) leave() { o.requests.Add(-1) }
