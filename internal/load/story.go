package load

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"sluice/internal/realistic"
)

// story makes realistic events the contents of a run.
type story struct{ *realistic.World }

func (s story) name() string { return s.Run() }

func (s story) append(buf []byte, index int64) []byte { return s.Append(buf, index) }

func (s story) id(index int64) uuid.UUID { return s.ID(index) }

func (s story) way(index int64) way {
	noID, skew := s.Class(index)
	return way{whole: noID, skew: skew}
}

// find reads the index from the event's tag. A row of an event with an id must have that id.
func (s story) find(r *row) (index int64, ok bool) {
	const before = `","` + realistic.IndexTag + `":"`
	at := strings.LastIndex(r.payload, before)
	if at < 0 {
		return 0, false
	}
	digits, _, _ := strings.Cut(r.payload[at+len(before):], `"`)
	index, err := strconv.ParseInt(digits, 10, 62)
	if err != nil || index < 0 {
		return 0, false
	}
	id := s.ID(index)
	return index, id == uuid.Nil || id == r.id
}

// skewSlack is by how much the gateway's correction of a skewed clock may be off, in milliseconds: the way of the
// request, and the queues on it.
const skewSlack = 60_000

func (s story) expect(index int64) expected {
	f := s.Facts(index)
	e := expected{id: f.ID, message: f.Message, level: f.Level, environment: f.Environment, millis: f.Millis}
	if f.Skew != 0 {
		e.slack = skewSlack
	}
	return e
}
