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
	log     *Log // nil: its user logs

	mu    sync.Mutex
	on    bool
	ended bool
}

// NewOutage makes an Outage that counts in a gauge while requests fail.
func NewOutage(blocked prometheus.Gauge) *Outage { return &Outage{blocked: blocked} }

// Set says whether the last request failed.
func (o *Outage) Set(on bool) {
	if on {
		o.fail(nil)
	} else {
		o.recover()
	}
}

// fail takes a request that failed.
func (o *Outage) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	if !o.on {
		o.blocked.Inc()
	}
	if o.log != nil {
		o.log.failed(err, !o.on)
	}
	o.on = true
}

// recover takes a request that was answered.
func (o *Outage) recover() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	if o.on {
		o.over()
	}
	if o.log != nil {
		o.log.answered()
	}
}

func (o *Outage) over() {
	o.blocked.Dec()
	if o.log != nil {
		o.log.ended()
	}
	o.on = false
}

// end says that no more requests are sent. A timer that fires later changes nothing.
func (o *Outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.on {
		o.over()
	}
	o.ended = true
}

// note takes how a request to Kafka ended. A request that its context ended says nothing.
func (o *Outage) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil:
		o.fail(err)
	default:
		o.recover()
	}
}
