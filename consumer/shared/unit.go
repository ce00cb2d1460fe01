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

// gathering is batches that will share a block.
type gathering struct {
	members     []int
	rows, bytes int
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
	if u.open != nil && !u.expectsMore(time.Now()) {
		u.close()
	}
}

// Join puts a batch of a number of rows and bytes into a block, together with those of other partitions that are due
// now. It returns the id of the shared block, or 0 if the batch has a block of its own. It waits at most for linger.
// Every id that it returns must be given to Blocks.Leave once.
func (s *Seat) Join(ctx context.Context, rows, bytes int) uint64 {
	if s == nil {
		return 0
	}
	g := s.unit.join(s, rows, bytes)
	timer := time.NewTimer(linger)
	defer timer.Stop()
	select {
	case <-g.closed:
		return g.id
	case <-timer.C:
	case <-ctx.Done():
	}
	s.unit.mu.Lock()
	defer s.unit.mu.Unlock()
	if s.unit.open == g {
		s.unit.close()
	}
	return g.id
}

func (u *Unit) join(s *Seat, rows, bytes int) *gathering {
	u.mu.Lock()
	defer u.mu.Unlock()
	s.due = time.Time{}
	if g := u.open; g != nil && (g.rows+rows > u.limits.Rows || g.bytes+bytes > u.limits.Bytes()) {
		u.close()
	}
	if u.open == nil {
		u.open = &gathering{closed: make(chan struct{})}
	}
	g := u.open
	g.members = append(g.members, s.partition)
	g.rows, g.bytes = g.rows+rows, g.bytes+bytes
	if !u.expectsMore(time.Now()) {
		u.close()
	}
	return g
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
