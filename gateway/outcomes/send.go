package outcomes

import (
	"time"

	"sluice/gateway/publish"
	"sluice/internal/event"
	"sluice/internal/outcome"
	"sluice/internal/recordbatch"
)

// Through returns a Config.Send that publishes records as events are: with acks=all or, while Kafka is away, to the
// spool. Each record has an id of its own, and no key: it goes to any partition.
func Through(p *publish.Publisher, now func() time.Time) func(values [][]byte, deadline time.Time) error {
	return func(values [][]byte, deadline time.Time) error {
		r := p.NewRequest()
		defer r.Release()
		envelope := event.Envelope{Project: outcome.RecordProject, ReceivedAt: now(), Format: outcome.Format}
		var h recordbatch.Headers
		h.Set(&envelope)
		for _, v := range values {
			r.Add(-1, nil, v, &h, event.NewID(), 0)
		}
		p.Publish(r, deadline)
		var failed error
		r.Outcomes(func(_ int, err error) {
			if err != nil {
				failed = err
			}
		})
		return failed
	}
}
