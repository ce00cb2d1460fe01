package load

import "fmt"

// Report is what came of a run. Counts are events unless they say otherwise.
type Report struct {
	// Run is the value of the tag load_run that all events of the run carry. Seed repeats their contents.
	Run  string `json:"run"`
	Seed uint64 `json:"seed"`

	// Sent went out at least once. Accepted were acknowledged with a 202, Rejected refused for good, each event counted once.
	Sent     int64 `json:"sent"`
	Accepted int64 `json:"accepted"`
	Rejected int64 `json:"rejected"`
	// Duplicates is what bulk answers said; a run sends no id twice in a bulk.
	Duplicates int64 `json:"duplicates"`
	// Retried is how often events were sent again because they were not acknowledged, Repeated although they were (--repeat).
	Retried  int64 `json:"retried"`
	Repeated int64 `json:"repeated"`
	// Unacknowledged were sent and neither accepted nor rejected when the run ended.
	Unacknowledged int64 `json:"unacknowledged"`

	// Requests and Bytes are all attempts, the latter bodies before compression.
	Requests int64 `json:"requests"`
	Bytes    int64 `json:"bytes"`
	// Seconds is from the start of sending to the last 202. EventsPerSecond is Accepted over it.
	Seconds         float64 `json:"seconds"`
	EventsPerSecond float64 `json:"events_per_second"`
	// PausedSeconds is how long the gateway asked the run to wait.
	PausedSeconds float64 `json:"paused_seconds"`
	// Latency is of the requests answered 202: with --rate from the scheduled time, else from sending.
	Latency Latency `json:"latency_ms"`
	// ByStatus counts requests by status, and those without an answer as unreachable, reset and timeout.
	ByStatus map[string]int64 `json:"by_status"`

	// Violations are answers that break the protocol, such as counts that do not add up.
	Violations int64 `json:"violations"`
	// Examples are some of the refusals and violations, in the gateway's words.
	Examples []string `json:"examples,omitempty"`
	// Interrupted says that the run was told to stop; what was under way then is unacknowledged without that being a fault.
	Interrupted bool `json:"interrupted,omitempty"`

	// Verify is what --verify found; nil without it.
	Verify *Verification `json:"verify,omitempty"`
	// Passed is OK, for readers of the JSON.
	Passed bool `json:"ok"`
}

// Latency has quantiles in milliseconds.
type Latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// Verification compares the ledger with sluice.events. Counts are events, Rows is rows.
type Verification struct {
	Rows         int64 `json:"rows"`
	Acknowledged int64 `json:"acknowledged"`
	// Stored is how many of the acknowledged have a row.
	Stored int64 `json:"stored"`
	// Missing were acknowledged and have no row; Doubled have more than one.
	Missing int64 `json:"missing"`
	Doubled int64 `json:"doubled"`
	// Altered are rows whose payload or columns are not what was sent.
	Altered int64 `json:"altered"`
	// Foreign are rows with the run's tag that were never sent, or only in requests answered 429, which keeps nothing.
	Foreign int64 `json:"foreign"`
	// RejectedStored are events with a row although the gateway refused them for good.
	RejectedStored int64 `json:"rejected_stored"`
	// AmbiguousStored are events with a row that were never acknowledged, but may have been kept: no fault.
	AmbiguousStored int64 `json:"ambiguous_stored"`
	// Seconds is from the end of sending to the verdict.
	Seconds float64 `json:"seconds"`
	// Examples are up to ten of each kind.
	Examples []Example `json:"examples,omitempty"`
	// Error says why the comparison could not be made.
	Error string `json:"error,omitempty"`
}

// Example is one fault that the verifier found. Kind is missing, doubled, altered, foreign or rejected_stored.
type Example struct {
	Kind    string `json:"kind"`
	EventID string `json:"event_id"`
	Detail  string `json:"detail"`
}

// OK says whether the pipeline kept its word as far as the run can tell: the exit code of `sluice load`. Events that the
// gateway refused for good count against it, because every event of a run is valid.
func (r Report) OK() bool { return len(r.Faults()) == 0 }

// Faults lists what went wrong, a few words each: `3 missing`. Empty if nothing did.
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
	count(r.Violations, "answers against the protocol")
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
