package load

import "fmt"

// Report is the result of a run. Counts are events unless noted.
type Report struct {
	Origin

	// Sent counts events sent at least once, Accepted those with a 202, Rejected those refused for good. Each event
	// counts once.
	Sent     int64 `json:"sent"`
	Accepted int64 `json:"accepted"`
	Rejected int64 `json:"rejected"`
	// Duplicates is the sum of the counts in bulk answers. A run never sends an id twice in a bulk.
	Duplicates int64 `json:"duplicates"`
	// Retried counts events sent again without an acknowledgement, each time. Repeated counts those sent again after
	// one (--repeat).
	Retried  int64 `json:"retried"`
	Repeated int64 `json:"repeated"`
	// Unacknowledged counts events that were sent but neither accepted nor rejected by the end of the run.
	Unacknowledged int64 `json:"unacknowledged"`

	// Traffic is what the run sent in all.
	Traffic
	// Seconds is the time from the start of sending to the last 202. EventsPerSecond is Accepted divided by Seconds.
	Seconds         float64 `json:"seconds"`
	EventsPerSecond float64 `json:"events_per_second"`
	// PausedSeconds is how long the run paused for Retry-After.
	PausedSeconds float64 `json:"paused_seconds"`
	// Latency covers the requests that got 202. It counts from the scheduled time with --rate, else from sending.
	Latency Latency `json:"latency_ms"`
	// ByStatus counts requests by status. Requests without an answer count as unreachable, reset or timeout.
	ByStatus map[string]int64 `json:"by_status"`

	// Violations counts answers that break the protocol, for instance with counts that contradict each other.
	Violations int64 `json:"violations"`
	// Examples are some of the refusals and violations, in the gateway's words.
	Examples []string `json:"examples,omitempty"`
	// Interrupted: the run was told to stop. Its unacknowledged events are then no fault.
	Interrupted bool `json:"interrupted,omitempty"`

	// Verify is the result of --verify; nil without it.
	Verify *Verification `json:"verify,omitempty"`
	// Passed is the result of OK, for readers of the JSON.
	Passed bool `json:"ok"`
}

// Origin says where the events come from.
type Origin struct {
	// Run is the value of the tag load_run that all events of the run carry. Seed reproduces their contents.
	Run  string `json:"run"`
	Seed uint64 `json:"seed"`
	// Until is the end of the period with --realistic. With the seed it reproduces the events.
	Until string `json:"until,omitempty"`
}

// Traffic counts all attempts of a run.
type Traffic struct {
	// Requests counts requests, Bytes the bytes of their bodies before compression.
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"`
}

// Latency holds quantiles in milliseconds.
type Latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Verification is the comparison of the ledger with sluice.events. Counts are events, but Rows counts rows.
type Verification struct {
	Rows         int64 `json:"rows"`
	Acknowledged int64 `json:"acknowledged"`
	// Stored counts acknowledged events with a row.
	Stored int64 `json:"stored"`
	// Missing counts acknowledged events without a row, Doubled those with more than one.
	Missing int64 `json:"missing"`
	Doubled int64 `json:"doubled"`
	// Altered counts rows whose payload or columns differ from the event sent.
	Altered int64 `json:"altered"`
	// Foreign counts rows with the run's tag whose event was never sent, or only in requests that got 429, which stores
	// nothing.
	Foreign int64 `json:"foreign"`
	// RejectedStored counts events with a row that the gateway refused for good.
	RejectedStored int64 `json:"rejected_stored"`
	// AmbiguousStored counts events with a row but without an acknowledgement. They are no fault.
	AmbiguousStored int64 `json:"ambiguous_stored"`
	// Seconds is the time from the end of sending to the verdict.
	Seconds float64 `json:"seconds"`
	// Examples holds up to ten of each kind.
	Examples []Example `json:"examples,omitempty"`
	// Error is the reason if the comparison failed.
	Error string `json:"error,omitempty"`
}

// Example is one fault found by the verifier. Kind is missing, doubled, altered, foreign or rejected_stored.
type Example struct {
	Kind    string `json:"kind"`
	EventID string `json:"event_id"`
	Detail  string `json:"detail"`
}

// OK reports whether the run found no fault. It decides the exit code of `sluice load`. A final refusal is a fault,
// because every event of a run is valid.
func (r Report) OK() bool { return len(r.Faults()) == 0 }

// Faults lists the faults in a few words each, for instance `3 missing`. It is empty if OK.
func (r Report) Faults() []string {
	var faults []string
	count := func(n int64, what string) {
		if n != 0 {
			faults = append(faults, fmt.Sprintf("%d %s", n, what))
		}
	}
	count(r.Rejected, "rejected")
	if !r.Interrupted {
		count(r.Unacknowledged, "unacknowledged")
	}
	count(r.Violations, "answers that break the protocol")
	if v := r.Verify; v != nil {
		count(v.Missing, "missing")
		count(v.Doubled, "doubled")
		count(v.Altered, "altered")
		count(v.Foreign, "foreign")
		count(v.RejectedStored, "rejected but stored")
		if v.Error != "" {
			faults = append(faults, "not verified: "+v.Error)
		}
	}
	return faults
}
