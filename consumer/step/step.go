package step

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Step is what the consumer does to each event between the topic and the table: it may look at the event, change it or drop it. Steps
// run in order, after the event was found to be valid and before its row is made.
//
// An event goes through the steps again after a crash, or if its client sent it twice. A step must do the same to it each time.
type Step struct {
	// Name is the step's name in sluice_consumer_dropped_total and in logs: one word, from a closed set.
	Name string
	// Apply does the work. It returns false to drop the event. Several goroutines call it at once.
	Apply func(in *Input) bool
}

// Input is one event as a step sees it.
type Input struct {
	// Project is the project that the event's key belongs to.
	Project string
	// EventID identifies the event. A step cannot change it.
	EventID uuid.UUID
	// ReceivedAt is when the gateway received the event.
	ReceivedAt time.Time
	// JSON is the event: one valid JSON object. It is read-only; Replace replaces it.
	JSON []byte

	changed bool
	// Two buffers take turns, because JSON may be in the one that was written last.
	buffers [2][]byte
	next    int
}

// Replace makes the event what rewrite appends to dst. An event that is not valid any more becomes a dead letter.
func (in *Input) Replace(rewrite func(dst, event []byte) []byte) {
	in.buffers[in.next] = rewrite(in.buffers[in.next][:0], in.JSON)
	in.JSON, in.changed = in.buffers[in.next], true
	in.next ^= 1
}

// DroppedError says which step dropped an event. The event becomes neither a row nor a dead letter.
type DroppedError struct {
	// Step is the step's name.
	Step string
}

// Error is part of error.
func (e *DroppedError) Error() string { return "dropped by " + e.Step }

// Chain runs events through steps. It reuses its memory, and is not safe for concurrent use.
type Chain struct {
	// Steps run in order. They must not change once Apply was called.
	Steps []Step

	input Input
}

// Apply runs the steps over an event. It returns the event as the steps leave it, good until the next call, and whether a step changed
// it. The error is a *DroppedError.
func (c *Chain) Apply(project string, id uuid.UUID, receivedAt time.Time, json []byte) (out []byte, changed bool, err error) {
	in := &c.input
	*in = Input{Project: project, EventID: id, ReceivedAt: receivedAt, JSON: json, buffers: in.buffers}
	for _, s := range c.Steps {
		if !s.Apply(in) {
			return nil, false, &DroppedError{Step: s.Name}
		}
	}
	return in.JSON, in.changed, nil
}

// Config says which of the built-in steps run.
type Config struct {
	// Sample is the share of events that is kept, above 0 to 1.
	Sample float64
	// RedactKeys are names, in any case, whose values are removed.
	RedactKeys []string
	// RedactPatterns are kinds of secrets that are removed from all texts: card, bearer, email.
	RedactPatterns []string
}

// Check reports every fault of the settings.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !(c.Sample > 0 && c.Sample <= 1) { // written so that NaN fails too
		fault("--sample: above 0 to 1, not %g", c.Sample)
	}
	for _, name := range c.RedactKeys {
		if slices.Contains(neverRedacted, strings.ToLower(name)) {
			fault("--redact-keys: %s cannot be taken out of an event", strings.ToLower(name))
		}
	}
	for _, kind := range c.RedactPatterns {
		if !slices.ContainsFunc(secretPatterns, func(p pattern) bool { return p.name == kind }) {
			fault("--redact-patterns: %q is not known; there are card, bearer and email", kind)
		}
	}
	return errors.Join(faults...)
}

// New lists the built-in steps that the settings ask for. Sampling comes first: a dropped event need not be redacted. A step of your own
// is a function that returns a Step, and one line here.
func New(c Config) []Step {
	var steps []Step
	if c.Sample > 0 && c.Sample < 1 {
		steps = append(steps, sampling(c.Sample))
	}
	if r := newRedaction(c.RedactKeys, c.RedactPatterns); r != nil {
		steps = append(steps, Step{Name: "redact", Apply: r.apply})
	}
	return steps
}
