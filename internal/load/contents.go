package load

import (
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"sluice/internal/realistic"
)

// contents builds the events of a run. It has no state: the same index gives the same bytes at any time and from any
// goroutine.
type contents interface {
	// name is the value of the tag runTag in every event.
	name() string
	// append appends the JSON of an event.
	append(buf []byte, index int64) []byte
	// id returns the id of an event; the nil UUID if the event has none.
	id(index int64) uuid.UUID
	// way returns how the event must be sent.
	way(index int64) way
	// find returns the index of the event in a row. ok is false if no event of the run can have the row's id.
	find(r *row) (index int64, ok bool)
	// expect returns the columns that the event's row must have.
	expect(index int64) expected
}

// newContents returns the events that a run's settings ask for.
func newContents(cfg Config, start time.Time) (contents, Origin, error) {
	origin := Origin{Seed: cfg.Seed}
	if origin.Seed == 0 {
		origin.Seed = rand.Uint64()
	}
	if !cfg.Realistic {
		g := newGenerator(origin.Seed, start, cfg.EventSize)
		origin.Run = g.run
		return g, origin, nil
	}
	until, err := cfg.until(start)
	if err != nil {
		return nil, Origin{}, err
	}
	s := story{realistic.New(realistic.Config{
		Seed: origin.Seed, Events: cfg.expected(), Days: cfg.Days, Until: until, RightClocks: cfg.Write != "",
	})}
	origin.Run, origin.Until = s.name(), until.Format(time.RFC3339)
	return s, origin, nil
}

// shownID is an id in the ledger file.
func shownID(id uuid.UUID) string {
	if id == uuid.Nil {
		return "-"
	}
	return id.String()
}
