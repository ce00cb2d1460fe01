package load

import (
	"fmt"
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

// way is how an event must be sent.
type way struct {
	// whole: the event has no id. Its request has an Idempotency-Key, and is always sent again as a whole.
	whole bool
	// skew is how far the sender's clock is ahead. The request says so with X-Sent-At.
	skew time.Duration
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

// These bound runs with --realistic.
const (
	realisticBulk  = 500
	realisticBytes = 4 << 10 // the most that a realistic event takes, in bytes
	maxDays        = 3650
)

// until returns the end of the period.
func (c Contents) until(now time.Time) (time.Time, error) {
	switch {
	case c.Until != "":
		at, err := time.Parse(time.RFC3339, c.Until)
		if err != nil {
			return time.Time{}, fmt.Errorf("--until: %w", err)
		}
		return at.UTC(), nil
	case c.Seed != 0:
		return now.UTC().Truncate(24 * time.Hour), nil
	default:
		return now.UTC().Truncate(time.Second), nil
	}
}

// expected is how many events the period is made for. A longer run begins the period anew.
func (c Config) expected() int64 {
	if c.Events > 0 {
		return int64(c.Events)
	}
	if c.Rate > 0 {
		return int64(c.Rate*c.Duration.Seconds()) + 1
	}
	return 1_000_000
}

// name, way and find make a generator the contents of a run.
func (g generator) name() string { return g.run }

func (g generator) way(int64) way { return way{} }

func (g generator) find(r *row) (index int64, ok bool) { return g.index(r.id) }

// shownID is an id in the ledger file.
func shownID(id uuid.UUID) string {
	if id == uuid.Nil {
		return "-"
	}
	return id.String()
}
