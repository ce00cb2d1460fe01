package observed

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Outage is whether one kind of request to Kafka fails. It counts in sluice_consumer_blocked. It is safe for concurrent
// use.
type Outage struct {
	blocked prometheus.Gauge

	mu    sync.Mutex
	on    bool
	ended bool
}

// NewOutage makes an Outage that counts in a gauge while requests fail.
func NewOutage(blocked prometheus.Gauge) *Outage { return &Outage{blocked: blocked} }

// Set says whether the last request failed.
func (o *Outage) Set(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ended:
		return
	case on && !o.on:
		o.blocked.Inc()
	case !on && o.on:
		o.blocked.Dec()
	}
	o.on = on
}

// end says that no more requests are sent. A timer that fires later changes nothing.
func (o *Outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.on {
		o.blocked.Dec()
	}
	o.on, o.ended = false, true
}

// note takes how a request to Kafka ended. A request that its context ended says nothing.
func (o *Outage) note(ctx context.Context, err error) {
	if ctx.Err() == nil {
		o.Set(err != nil)
	}
}
