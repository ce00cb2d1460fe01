package console

import "sluice/internal/console/series"

// view is what the page shows of this moment. Its JSON is part of the answer to GET /console/data.
type view struct {
	// At is when the sample was taken, in Unix milliseconds.
	At        int64      `json:"at"`
	Totals    totals     `json:"totals"`
	Consumers []consumer `json:"consumers"`
	Problems  []problem  `json:"problems"`
}

// totals are counters as the processes expose them: since each process started.
type totals struct {
	Requests float64 `json:"requests"`
	Accepted float64 `json:"accepted"`
	Refused  float64 `json:"refused"`
	Rows     float64 `json:"rows"` // of the consumers that answer
	Dead     float64 `json:"dead"` // of the consumers that answer
}

func (t *totals) ofGateway(r series.Reading) {
	t.Requests = finite(r.Gauge("sluice_gateway_requests_total"))
	t.Accepted = finite(r.Gauge("sluice_gateway_events_accepted_total"))
	t.Refused = finite(r.Gauge("sluice_gateway_events_rejected_total"))
}

// consumer is one consumer, or a name without an address.
type consumer struct {
	Address string `json:"address"`
	Up      bool   `json:"up"`
	// Error is why it is not up.
	Error      string   `json:"error,omitempty"`
	Rows       float64  `json:"rows"` // a second
	RowsTotal  float64  `json:"rows_total"`
	Lag        float64  `json:"lag"`         // records
	LagSeconds float64  `json:"lag_seconds"` // age of the oldest record that is not a row yet
	Partitions float64  `json:"partitions"`
	Blocked    []string `json:"blocked"` // reasons
}
