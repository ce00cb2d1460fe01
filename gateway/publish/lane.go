package publish

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/recordbatch"
)

// lane sends one batch at a time, to its own partitions: p is the lane's when p modulo lanes is its index, however many
// partitions there are. It has a producer id of its own, and numbers what it sends to each partition.
type lane struct {
	pub   *Publisher
	index int
	every int // of the partitions, one in how many is its own
	turn  int
	own   *queue // records whose key chose one of the lane's partitions

	encoder  *recordbatch.Encoder
	runs     [][]byte // reused
	identity identity
	taken    []*chunk // reused

	attempts attempts
	shift    shift
}

// shift is a lane's work on one batch. When it takes too long another lane takes over the rest of the lane's work, with an encoder
// and a producer id of its own, and the lane ends with its batch.
type shift struct {
	timer *time.Timer

	mu        sync.Mutex
	working   bool
	began     time.Time // the batch at hand
	partition int       // that a key chose; −1: none
	over      bool      // another lane has taken over
}

// attempts is the produce request that is under way, for those who watch over it.
type attempts struct {
	since     atomic.Int64 // ns since the publisher was made; 0: none
	partition atomic.Int32
	cancel    atomic.Pointer[context.CancelFunc]
}

// newLane makes a lane of a publisher.
func (p *Publisher) newLane(index, every int, own *queue) (*lane, error) {
	encoder, err := recordbatch.NewEncoder(p.cfg.Compression) // each keeps memory of its own
	if err != nil {
		return nil, err
	}
	l := &lane{pub: p, index: index, every: every, own: own, encoder: encoder, identity: newIdentity()}
	l.shift.timer = time.AfterFunc(time.Hour, l.handOver)
	l.shift.timer.Stop()
	return l, nil
}

// encode makes one batch of chunks, and returns its size in bytes.
func (l *lane) encode(chunks []*chunk) (size int) {
	l.runs = l.runs[:0]
	for _, c := range chunks {
		l.runs = append(l.runs, c.records)
	}
	size = l.encoder.Encode(l.runs, time.Now())
	clear(l.runs)
	return size
}

// run sends until ctx ends and there is nothing left to send, or another lane has taken over.
func (l *lane) run(ctx context.Context) {
	l.pub.working(l, true)
	defer l.pub.working(l, false)
	for {
		if l.taken = l.next(l.taken[:0]); len(l.taken) > 0 {
			l.begin(l.taken[0].partition)
			l.send(l.taken)
			clear(l.taken)
			if l.end() {
				l.pub.handBack(&l.identity)
				return
			}
			continue
		}
		if ctx.Err() != nil {
			return
		}
		var shared chan struct{}
		if l.shares() {
			shared = l.pub.shared.wake
		}
		select {
		case <-l.own.wake:
		case <-shared:
		case <-ctx.Done():
		}
	}
}

func (l *lane) begin(partition int) {
	s := &l.shift
	s.mu.Lock()
	s.working, s.partition, s.began = true, partition, time.Now()
	s.mu.Unlock()
	s.timer.Reset(l.pub.cfg.StuckAfter)
}

// end says whether another lane has taken over.
func (l *lane) end() bool {
	s := &l.shift
	s.timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.working = false
	if s.over && s.partition >= 0 {
		l.pub.leaders.hold(s.partition, -1)
		l.own.poke()
	}
	return s.over
}

// standsStill is how long the lane has worked on one batch, if it is at one.
func (l *lane) standsStill(now time.Time) time.Duration {
	s := &l.shift
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.working {
		return 0
	}
	return now.Sub(s.began)
}

// handOver lets another lane do the work of one that is stuck, if there is a partition that it could send to.
func (l *lane) handOver() {
	s := &l.shift
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.working || s.over {
		return
	}
	now := time.Now()
	if p := int(l.attempts.partition.Load()); l.attempts.since.Load() != 0 {
		l.pub.leaders.hang(p, now)
		l.pub.avoidSilent() // before the other lane asks for a producer id
	}
	if l.pub.outage.away(now) || !l.pub.leaders.healthy(int(l.pub.partitions.Load()), now) || !l.replaced() {
		s.timer.Reset(l.pub.cfg.StuckAfter)
		return
	}
	s.over = true
}

// replaced starts another lane, if there may be one. The partition that a key chose is held before that lane can look at the queue:
// otherwise it could send what must come after the batch that is stuck.
func (l *lane) replaced() bool {
	partition := l.shift.partition
	if partition < 0 {
		return l.pub.succeed(l)
	}
	l.pub.leaders.hold(partition, 1)
	ok := l.pub.succeed(l)
	if !ok {
		l.pub.leaders.hold(partition, -1)
	}
	return ok
}

// shares says whether the lane has a partition to send records without a key to. The first lane always takes them: somebody
// must end them at their deadline while the partitions are not known.
func (l *lane) shares() bool {
	return l.index == 0 || l.index < int(l.pub.partitions.Load())
}

// next takes a batch, if there is one, into memory that it is given.
func (l *lane) next(into []*chunk) []*chunk {
	if into = l.own.take(into); len(into) == 0 && l.shares() {
		return l.pub.shared.take(into)
	}
	return into
}

// place is the partition for a batch that may go anywhere. The lane goes round its own partitions, a batch each, past those that had
// better be avoided; when it must avoid all of them, round all that there are. Any lane may send to any partition, under its own
// producer id; that each has its own keeps the batches of a key in order.
func (l *lane) place(partitions int) int {
	owned := max(1, (partitions-l.index+l.every-1)/l.every)
	mine := func(i int) int { return (l.index + i%owned*l.every) % partitions }
	first := mine(l.turn)
	l.turn++
	if !l.pub.leaders.any.Load() {
		return first
	}
	now := time.Now()
	for i := range owned {
		if p := mine(l.turn - 1 + i); !l.pub.leaders.avoid(p, now) {
			l.turn += i
			return p
		}
	}
	for i := range partitions {
		if p := (l.turn + i) % partitions; !l.pub.leaders.avoid(p, now) {
			return p
		}
	}
	return first
}

// succeed starts a lane in the place of one that is stuck, unless enough of them are.
func (p *Publisher) succeed(stuck *lane) bool {
	p.team.mu.Lock()
	defer p.team.mu.Unlock()
	n := 0
	for l := range p.team.lanes {
		if l.index == stuck.index {
			n++
		}
	}
	if n > stuckMost || p.team.start == nil {
		return false
	}
	next, err := p.newLane(stuck.index, stuck.every, stuck.own)
	if err != nil {
		return false // such a one was made before
	}
	if n := len(p.team.identities); n > 0 {
		next.identity, p.team.identities = p.team.identities[n-1], p.team.identities[:n-1]
	}
	p.team.start(next)
	p.log.Debug("lane is stuck, another takes over its work", "lane", stuck.index, "stuck", n)
	return true
}

// team is the lanes at work, those that are stuck included.
type team struct {
	mu    sync.Mutex
	lanes map[*lane]bool
	start func(*lane) // nil: the publisher does not run

	// identities are those of lanes that have ended, for the next ones. There are never more than there may be lanes at once.
	// Kafka remembers each producer id for a day, so lanes that come and go must not take a new one each.
	identities []identity
}

// handBack keeps the identity of a lane that ends. All that was sent under it is settled.
func (p *Publisher) handBack(i *identity) {
	if !i.id.Valid() {
		return
	}
	p.team.mu.Lock()
	defer p.team.mu.Unlock()
	p.team.identities = append(p.team.identities, *i)
}

func (p *Publisher) working(l *lane, yes bool) {
	p.team.mu.Lock()
	defer p.team.mu.Unlock()
	if !yes {
		delete(p.team.lanes, l)
		return
	}
	p.team.lanes[l] = true
}

// each calls f for every lane at work.
func (p *Publisher) each(f func(*lane)) {
	p.team.mu.Lock()
	defer p.team.mu.Unlock()
	for l := range p.team.lanes {
		f(l)
	}
}
