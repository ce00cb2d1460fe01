package load

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxExamples is the most examples of a kind in a report.
const maxExamples = 10

// tally counts the events and requests of a run. It is safe for concurrent use.
type tally struct {
	mu         sync.Mutex
	start      time.Time
	lastAck    time.Time // the start of the run until the first acknowledgement
	sent       int64
	accepted   int64
	rejected   int64
	duplicates int64
	resent     int64
	repeated   int64
	requests   int64
	bytes      int64
	answered   bool
	byStatus   map[string]int64
	latency    *hdrhistogram.Histogram // microseconds
	violations int64
	examples   []string
}

func newTally(start time.Time) *tally {
	return &tally{
		start:    start,
		lastAck:  start,
		byStatus: map[string]int64{},
		latency:  hdrhistogram.New(1, time.Hour.Microseconds(), 3),
	}
}

// attempt counts a request that is about to be sent. fresh: its events are sent for the first time. repeat: they are
// already acknowledged.
func (t *tally) attempt(events, bytes int, fresh, repeat bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.bytes += int64(bytes)
	switch {
	case repeat:
		t.repeated += int64(events)
	case fresh:
		t.sent += int64(events)
	default:
		t.resent += int64(events)
	}
}

// answer counts an answer, its outcome, and how many events became accepted and rejected. took is the latency.
func (t *tally) answer(status int, took time.Duration, o *outcome, accepted, rejected int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answered = true
	t.byStatus[statusName(status)]++
	t.accepted += accepted
	t.rejected += rejected
	t.duplicates += o.duplicates
	if status == 202 {
		t.lastAck = time.Now()
		_ = t.latency.RecordValue(min(max(took.Microseconds(), 1),
			time.Hour.Microseconds())) // in range, so it cannot fail
	}
	if o.violation != "" {
		t.violations++
		t.example(o.violation)
	}
	if o.refusal != "" && rejected > 0 {
		t.example(o.refusal)
	}
}

// lost counts a request without an answer.
func (t *tally) lost(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var late interface{ Timeout() bool }
	switch {
	case errors.Is(err, errNotSent):
		t.byStatus["unreachable"]++
	case errors.As(err, &late) && late.Timeout():
		t.byStatus["timeout"]++
	default:
		t.byStatus["reset"]++
	}
}

// example keeps the first few different texts.
func (t *tally) example(text string) {
	if len(t.examples) < maxExamples && !slices.Contains(t.examples, text) {
		t.examples = append(t.examples, text)
	}
}

// silence returns the time of the last acknowledgement, and whether the gateway ever answered or accepted anything.
func (t *tally) silence() (since time.Time, answered, accepted bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lastAck, t.answered, t.accepted > 0
}

// report returns a report with the counters.
func (t *tally) report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := Report{
		Sent:           t.sent,
		Accepted:       t.accepted,
		Duplicates:     t.duplicates,
		Rejected:       t.rejected,
		Retried:        t.resent,
		Repeated:       t.repeated,
		Traffic:        Traffic{Requests: t.requests, Bytes: t.bytes},
		Seconds:        t.lastAck.Sub(t.start).Seconds(),
		Unacknowledged: t.sent - t.accepted - t.rejected,
		Violations:     t.violations,
		Examples:       append([]string(nil), t.examples...),
		ByStatus:       map[string]int64{},
		Latency: Latency{
			P50:  millis(t.latency.ValueAtQuantile(50)),
			P99:  millis(t.latency.ValueAtQuantile(99)),
			P999: millis(t.latency.ValueAtQuantile(99.9)),
			Max:  millis(t.latency.Max()),
		},
	}
	for name, n := range t.byStatus {
		r.ByStatus[name] = n
	}
	if r.Seconds > 0 {
		r.EventsPerSecond = float64(r.Accepted) / r.Seconds
	}
	return r
}

func millis(microseconds int64) float64 { return float64(microseconds) / 1000 }

// statusName avoids an allocation for the status of nearly all answers.
func statusName(status int) string {
	if status == 202 {
		return "202"
	}
	return strconv.Itoa(status)
}
