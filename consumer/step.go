package consumer

import (
	"time"

	"github.com/google/uuid"
)

// Step is something that is done to each event on its way from the topic to the table: it may look, change or drop. Steps run
// in order, after the event was found to be valid and before its row is made. An own step is one file: a function that returns
// a Step, and a line in Config.steps.
//
// An event that is read again, after a crash or when the client sent it twice, goes through the steps again: a step should do the
// same thing then.
type Step struct {
	// Name is what the step is called in sluice_consumer_dropped_total and in logs: one word, from a closed set.
	Name string
	// Apply does the work and says whether the event is kept. It is called by several goroutines at once.
	Apply func(in *StepInput) bool
}

// StepInput is one event as a step sees it.
type StepInput struct {
	// Project is the project that the event's key belongs to.
	Project string
	// EventID identifies the event. A step cannot change it.
	EventID uuid.UUID
	// ReceivedAt is when the gateway received the event.
	ReceivedAt time.Time
	// JSON is the event: one valid JSON object. It is read-only; Replace replaces it.
	JSON []byte

	changed bool
	// Two buffers take turns, because what a step reads may be what the last one wrote.
	buffers [2][]byte
	turn    int
}

// Replace makes the event what rewrite appends to dst, which must be a valid event still; one that is not goes to the dead-letter
// topic.
func (in *StepInput) Replace(rewrite func(dst, event []byte) []byte) {
	in.buffers[in.turn] = rewrite(in.buffers[in.turn][:0], in.JSON)
	in.JSON, in.changed = in.buffers[in.turn], true
	in.turn ^= 1
}

// droppedError says which step dropped an event. It is neither a row nor a dead letter.
type droppedError struct{ step string }

// Error is part of error.
func (e *droppedError) Error() string { return "dropped by " + e.step }

// steps are the steps that the settings ask for, in order: what is dropped need not be redacted.
func (c Config) steps() []Step {
	var steps []Step
	if c.Sample > 0 && c.Sample < 1 {
		steps = append(steps, sampling(c.Sample))
	}
	if r := newRedaction(c.RedactKeys, c.RedactPatterns); r != nil {
		steps = append(steps, Step{Name: "redact", Apply: r.apply})
	}
	return steps
}
