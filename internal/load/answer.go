package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// outcome is what an answer, or a missing answer, means for the events of its request.
type outcome struct {
	marks      []mark        // for each event the bits to add to the ledger; 0: certainly not stored
	again      []int         // positions of the events to send again, in order
	after      time.Duration // how long the gateway asks the run to wait
	duplicates int64         // as counted by the gateway
	refusal    string        // the gateway's text about what it refused
	violation  string        // how the answer breaks the contract
}

// all gives every event the mark m.
func (o *outcome) all(m mark, again bool) {
	for i := range o.marks {
		o.marks[i] = m
		if again {
			o.again = append(o.again, i)
		}
	}
}

// reset empties o and makes room for n events.
func (o *outcome) reset(n int) {
	marks, again := o.marks, o.again
	if cap(marks) < n {
		marks = make([]mark, n)
	}
	*o = outcome{marks: marks[:n], again: again[:0]}
	clear(o.marks)
}

// failure is the body of a refusal. It omits code and retryable, which repeat the status.
type failure struct {
	Error string `json:"error"`
	Code  string `json:"code"`
	Field string `json:"field"`
}

func (f failure) String() string {
	var parts []string
	for _, s := range []string{f.Code, f.Field, f.Error} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// judge fills o from the answer to a request with these events. bulk: the request went to the bulk endpoint.
func judge(o *outcome, g contents, indexes []int64, bulk bool, r reply) {
	o.reset(len(indexes))
	o.after = r.retryAfter
	switch {
	case r.status == 202 && bulk:
		judgeBulk(o, r)
	case r.status == 202:
		judgeSingle(o, g.id(indexes[0]), r.body)
	case r.status == 429, r.status == 408, r.status >= 500:
		if bulk && judgePartial(o, r) {
			return
		}
		o.refusal = explain(r)
		m := maybe
		if r.status == 429 {
			m = 0 // nothing of the request reached Kafka, so any row of it is a fault
		}
		o.all(m, true)
	case r.status >= 400:
		o.refusal = explain(r)
		o.all(rejected, false)
	default:
		o.breach(r, "the contract has no status %d", r.status)
	}
}

// judgeSingle checks that the answer accepts the event's own id, or any if the event has none.
func judgeSingle(o *outcome, id uuid.UUID, body []byte) {
	var room [80]byte
	usual := append(appendUUID(append(room[:0], `{"status":"accepted","event_id":"`...), id), `"}`...)
	if !bytes.Equal(bytes.TrimSpace(body), usual) {
		var answer struct {
			Status string    `json:"status"`
			ID     uuid.UUID `json:"event_id"`
		}
		if err := json.Unmarshal(body, &answer); err != nil || answer.Status != "accepted" ||
			answer.ID != id && id != uuid.Nil || answer.ID == uuid.Nil {
			o.breach(reply{status: 202, body: body}, "the answer to event %s does not accept it", id)
			return
		}
	}
	o.marks[0] = acknowledged
}

// bulkAnswer is the body of a bulk's 202, and of its failures after parsing.
type bulkAnswer struct {
	Status     string      `json:"status"`
	Accepted   *int64      `json:"accepted"`
	Duplicates int64       `json:"duplicates"`
	Rejected   int64       `json:"rejected"`
	Errors     []bulkError `json:"errors"`
	Retry      [][2]int64  `json:"retry"`
}

type bulkError struct {
	Index     int64 `json:"index"`
	Retryable bool  `json:"retryable"`
	failure
}

// maxListed is the most rejected events that an answer lists.
const maxListed = 100

func judgeBulk(o *outcome, r reply) {
	var answer bulkAnswer
	if err := json.Unmarshal(r.body, &answer); err != nil || answer.Accepted == nil {
		o.breach(r, "the answer to a bulk has no counts")
		return
	}
	if fault := answer.check(len(o.marks), r); fault != "" {
		o.breach(r, "%s", fault)
		return
	}
	o.apply(answer)
}

// judgePartial handles a 429 or 5xx with a bulk's counts: some of its events may be final. ok is false if the answer
// has no counts.
func judgePartial(o *outcome, r reply) (ok bool) {
	var answer bulkAnswer
	if err := json.Unmarshal(r.body, &answer); err != nil || answer.Accepted == nil {
		return false
	}
	if fault := answer.check(len(o.marks), r); fault != "" {
		o.breach(r, "%s", fault)
		return true
	}
	if *answer.Accepted > 0 {
		o.breach(r, "status %d although %d events were accepted", r.status, *answer.Accepted)
		return true
	}
	o.apply(answer)
	if r.status == 429 {
		for _, i := range o.again {
			o.marks[i] = 0
		}
	}
	return true
}

// apply gives each event of a checked answer its mark.
func (o *outcome) apply(answer bulkAnswer) {
	o.duplicates = answer.Duplicates
	for i := range o.marks {
		o.marks[i] = acknowledged
	}
	for _, span := range answer.Retry {
		for i := span[0]; i <= span[1]; i++ {
			o.marks[i] = maybe
			o.again = append(o.again, int(i))
		}
	}
	final := answer.Rejected - int64(len(o.again))
	for _, e := range answer.Errors {
		if o.refusal == "" {
			o.refusal = e.failure.String()
		}
		if o.marks[e.Index] == acknowledged {
			o.marks[e.Index] = rejected
			final--
		}
	}
	if final == 0 {
		return
	}
	// The answer lists only some of the final refusals, so any of the other events may be stored.
	for i, m := range o.marks {
		if m == acknowledged {
			o.marks[i] = maybe
		}
	}
}

// check compares an answer with itself and with its request of n events. It returns the first contradiction, or "".
func (a bulkAnswer) check(n int, r reply) string {
	accepted := *a.Accepted
	if accepted < 0 || a.Duplicates < 0 || a.Rejected < 0 || accepted+a.Duplicates+a.Rejected != int64(n) {
		return fmt.Sprintf("accepted %d + duplicates %d + rejected %d is not the %d events sent", accepted,
			a.Duplicates, a.Rejected, n)
	}
	if a.Duplicates != 0 {
		return fmt.Sprintf("%d duplicates in a bulk of %d different ids", a.Duplicates, n)
	}
	if r.status == 202 &&
		(r.accepted != strconv.FormatInt(accepted, 10) || r.rejected != strconv.FormatInt(a.Rejected, 10)) {
		return fmt.Sprintf("X-Accepted-Events %q and X-Rejected-Events %q are not the body's %d and %d", r.accepted,
			r.rejected, accepted, a.Rejected)
	}
	again, end := int64(0), int64(-1)
	for _, span := range a.Retry {
		if span[0] <= end || span[1] < span[0] || span[1] >= int64(n) {
			return fmt.Sprintf("retry range %v in a bulk of %d events", span, n)
		}
		again += span[1] - span[0] + 1
		end = span[1]
	}
	if again > a.Rejected {
		return fmt.Sprintf("%d events to retry, but only %d rejected", again, a.Rejected)
	}
	if again > 0 && r.retryAfter == 0 {
		return "retry without a Retry-After header"
	}
	return a.checkErrors(int64(n))
}

func (a bulkAnswer) checkErrors(n int64) string {
	if want := min(a.Rejected, maxListed); int64(len(a.Errors)) != want {
		return fmt.Sprintf("%d errors listed for %d rejected events", len(a.Errors), a.Rejected)
	}
	last := int64(-1)
	for _, e := range a.Errors {
		if e.Index <= last || e.Index >= n {
			return fmt.Sprintf("error index %d is out of order or not of this bulk", e.Index)
		}
		last = e.Index
		if a.retries(e.Index) != e.Retryable {
			return fmt.Sprintf("event %d: retryable is %t, but the retry ranges say otherwise", e.Index, e.Retryable)
		}
	}
	return ""
}

func (a bulkAnswer) retries(index int64) bool {
	for _, span := range a.Retry {
		if index >= span[0] && index <= span[1] {
			return true
		}
	}
	return false
}

// breach records an answer that proves nothing. Its events may be stored. They are not sent again, because that would
// hide the fault.
func (o *outcome) breach(r reply, format string, args ...any) {
	o.again = o.again[:0]
	o.violation = fmt.Sprintf(format, args...) + ": " + excerpt(r.body)
	o.all(maybe, false)
}

// explain returns the gateway's reason for a refusal.
func explain(r reply) string {
	var f failure
	if err := json.Unmarshal(r.body, &f); err != nil || f == (failure{}) {
		return fmt.Sprintf("%d %s", r.status, excerpt(r.body))
	}
	return fmt.Sprintf("%d %s", r.status, f)
}

func excerpt(body []byte) string {
	const most = 200
	if len(body) > most {
		return strings.ToValidUTF8(string(body[:most]), "") + "…"
	}
	return string(body)
}
