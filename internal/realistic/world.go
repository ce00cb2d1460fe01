package realistic

import (
	"strconv"
	"time"

	"github.com/google/uuid"
)

// Config chooses the events. The same Config gives the same bytes.
type Config struct {
	Seed uint64
	// Events is how many events fill the period; 0: a million. A higher index begins the period anew, with others.
	Events int64
	// Days is the length of the period that ends at Until; 0: 30.
	Days  int
	Until time.Time
	// RightClocks makes every clock right: a file cannot say how far a sender's is ahead.
	RightClocks bool
}

// World generates events. It never changes after New and is safe for concurrent use.
type World struct {
	key      uint64
	right    bool
	run      string
	events   int64
	until    int64 // Unix milliseconds
	rhythm   rhythm
	services []*service
	people   people
}

// RunTag and IndexTag are the tags of every event: the run, and the event's index in it.
const (
	RunTag   = "load_run"
	IndexTag = "n"
)

// New prepares the catalogue of errors and the releases of the period.
func New(cfg Config) *World {
	if cfg.Events <= 0 {
		cfg.Events = 1_000_000
	}
	if cfg.Days <= 0 {
		cfg.Days = 30
	}
	until := cfg.Until.UnixMilli()
	key := mix(cfg.Seed ^ mix(uint64(until)) ^ mix(uint64(cfg.Events)<<16|uint64(cfg.Days)))
	w := &World{
		key: key, right: cfg.RightClocks, run: strconv.FormatUint(key, 36), events: cfg.Events, until: until,
		rhythm: newRhythm(until, cfg.Days),
		people: newPeople(cfg.Events, cfg.Days),
	}
	for i, made := range makers {
		w.services = append(w.services, newService(made, prng(mix(cfg.Seed+uint64(i)+1)), w.rhythm.from, until))
	}
	return w
}

// Run is the value of RunTag in every event.
func (w *World) Run() string { return w.run }

// Facts are what is known of an event beside its bytes.
type Facts struct {
	// ID is the nil UUID if the event has none: its sender leaves that to the gateway.
	ID          uuid.UUID
	Message     string
	Level       string // as stored: debug to fatal
	Environment string
	// Millis is when the event happened, in Unix milliseconds.
	Millis int64
	// Skew is how far the sender's clock is ahead. The event's timestamp has it, and the request must have it in
	// X-Sent-At.
	Skew time.Duration
}

// Append appends the JSON of the event with this index, 0 or more.
func (w *World) Append(buf []byte, index int64) []byte { return w.build(buf, index, nil) }

// Facts returns what is known of an event.
func (w *World) Facts(index int64) Facts {
	var f Facts
	var room [4096]byte
	w.build(room[:0], index, &f)
	return f
}

// Class tells how the event with this index must be sent: without an id of its own, or by a clock that is ahead.
func (w *World) Class(index int64) (noID bool, skew time.Duration) {
	s := w.locate(index)
	return s.hasNoID(), s.skew()
}
