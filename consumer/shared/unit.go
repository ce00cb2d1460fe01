package shared

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// linger is how long a batch that is due waits for the others that are.
	linger = 100 * time.Millisecond
	// slack is how far apart batches may be due that go together.
	slack = 5 * time.Millisecond
)

// Limits are those of one block.
type Limits struct {
	Rows int
	// Bytes are of events, as they are now.
	Bytes func() int
}

// Unit is partitions of one consumer that share blocks. It is safe for concurrent use.
type Unit struct {
	blocks *Blocks
	limits Limits

	mu    sync.Mutex
	seats []*Seat
	open  *gathering // nil: nobody waits
}

// Batch is what a partition seals.
type Batch struct {
	Rows, Bytes int
	// Until is not zero if the batch need not be inserted before: it may wait until then for a block to be full.
	Until time.Time
}

// gathering is batches that will share a block.
type gathering struct {
	members     []int
	rows, bytes int
	patient     bool // all batches may wait
	closed      chan struct{}
	id          uint64 // once closed; 0 if there is one member only
}

// NewUnit makes a unit without partitions.
func (b *Blocks) NewUnit(limits Limits) *Unit { return &Unit{blocks: b, limits: limits} }

// Seat is the place of a partition in a unit. A nil seat shares nothing. Only one goroutine may use a seat.
type Seat struct {
	unit      *Unit
	partition int
	due       time.Time // guarded by the unit; zero: it has no batch, or cannot seal it
}

// Seat adds a partition. All partitions are added before any of them joins.
func (u *Unit) Seat(partition int) *Seat {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := &Seat{unit: u, partition: partition}
	u.seats = append(u.seats, s)
	return s
}

// Due says when the partition's batch will be sealed. The zero time means that no other batch need wait for it.
func (s *Seat) Due(at time.Time) {
	if s == nil {
		return
	}
	u := s.unit
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.due.Equal(at) {
		return
	}
	s.due = at
	if u.open != nil && !u.open.patient && !u.expectsMore(time.Now()) {
		u.close()
	}
}

// Join puts a batch into a block, together with those of other partitions that are due now. It returns the id of the
// shared block, or 0 if the batch has a block of its own. It waits at most for linger, or, with a batch that may wait,
// until the block is full or others are due, and calls waits every second meanwhile. Every id that it returns must be
// given to Blocks.Leave once.
func (s *Seat) Join(ctx context.Context, b Batch, waits func()) uint64 {
	if s == nil {
		return 0
	}
	g := s.unit.join(s, b)
	if !b.Until.IsZero() {
		g.await(ctx, b.Until, waits)
		s.unit.endPatience(g)
	}
	g.await(ctx, time.Now().Add(linger), waits)
	s.unit.mu.Lock()
	defer s.unit.mu.Unlock()
	if s.unit.open == g {
		s.unit.close()
	}
	return g.id
}

// await waits until the block is closed, until a time, or until ctx ends.
func (g *gathering) await(ctx context.Context, until time.Time, waits func()) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		select {
		case <-g.closed:
			return
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		case <-beat.C:
			waits()
		}
	}
}

func (u *Unit) join(s *Seat, b Batch) *gathering {
	u.mu.Lock()
	defer u.mu.Unlock()
	s.due = time.Time{}
	if u.open != nil && !u.fits(b) {
		u.close()
	}
	if u.open == nil {
		u.open = &gathering{closed: make(chan struct{}), patient: true}
	}
	g := u.open
	g.members = append(g.members, s.partition)
	g.rows, g.bytes = g.rows+b.Rows, g.bytes+b.Bytes
	g.patient = g.patient && !b.Until.IsZero()
	switch {
	case g.patient && !u.fits(b): // the next one will be about as large
		u.close()
	case !g.patient && !u.expectsMore(time.Now()):
		u.close()
	}
	return g
}

// fits says whether a batch fits into the open block.
func (u *Unit) fits(b Batch) bool {
	return u.open.rows+b.Rows <= u.limits.Rows && u.open.bytes+b.Bytes <= u.limits.Bytes()
}

// endPatience has a block wait no longer than for batches that are due.
func (u *Unit) endPatience(g *gathering) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.open != g {
		return
	}
	if g.patient = false; !u.expectsMore(time.Now()) {
		u.close()
	}
}

// expectsMore says whether the batch of another partition is due.
func (u *Unit) expectsMore(now time.Time) bool {
	return slices.ContainsFunc(u.seats, func(s *Seat) bool {
		return !s.due.IsZero() && s.due.Before(now.Add(slack))
	})
}

func (u *Unit) close() {
	g := u.open
	u.open = nil
	if len(g.members) > 1 {
		g.id = u.blocks.begin(g.members)
	}
	close(g.closed)
}
