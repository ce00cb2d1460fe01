package publish

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// stuckMost bounds how many lanes of one index may be stuck while another does their work.
const stuckMost = 4

// beginWork starts the time after which a successor takes over.
func (l *lane) beginWork(partition int) {
	w := &l.work
	w.mu.Lock()
	w.working, w.partition, w.began = true, partition, time.Now()
	w.mu.Unlock()
	w.timer.Reset(l.pub.cfg.StuckAfter)
}

// endWork reports whether a successor has taken over.
func (l *lane) endWork() (replaced bool) {
	w := &l.work
	w.timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.working = false
	if w.replaced && w.partition >= 0 {
		l.pub.leaders.hold(w.partition, -1)
		l.own.signal()
	}
	return w.replaced
}

// workingFor returns how long the lane has worked on its batch; 0: it has none.
func (l *lane) workingFor(now time.Time) time.Duration {
	w := &l.work
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.working {
		return 0
	}
	return now.Sub(w.began)
}

// isReplaced reports whether a successor has taken over.
func (l *lane) isReplaced() bool {
	l.work.mu.Lock()
	defer l.work.mu.Unlock()
	return l.work.replaced
}

// handOver lets a successor take over from a stuck lane, if there is a partition that the successor could send to.
func (l *lane) handOver() {
	w := &l.work
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.working || w.replaced {
		return
	}
	now := time.Now()
	if p := int(l.attempt.partition.Load()); l.attempt.since.Load() != 0 {
		l.pub.leaders.hang(p, now.Sub(w.began), now)
		l.pub.avoidSilent() // before the successor asks for a producer id
	}
	if l.pub.outage.away(now) || !l.pub.leaders.healthy(l.pub.Partitions(), now) || !l.startSuccessor() {
		w.timer.Reset(l.pub.cfg.StuckAfter)
		return
	}
	w.replaced = true
}

// startSuccessor starts a successor, if there may be one more. It holds the partition that a key chose before the
// successor can look at the queue: otherwise the successor could send records that must come after the stuck batch.
func (l *lane) startSuccessor() bool {
	partition := l.work.partition
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

// team is the lanes that run, the stuck ones included.
type team struct {
	mu    sync.Mutex
	lanes map[*lane]bool
	start func(*lane) // nil: the publisher does not run

	// identities are those of lanes that have ended, for the next ones. Kafka remembers each producer id for a day, so
	// lanes that come and go must not take a new one each. There are never more identities than lanes may run at once.
	identities []identity
}

// succeed starts a lane in the place of a stuck one, unless stuckMost of that index are stuck.
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
	next := p.newLane(stuck.index, stuck.every, stuck.own)
	if n := len(p.team.identities); n > 0 {
		next.identity, p.team.identities = p.team.identities[n-1], p.team.identities[:n-1]
	}
	p.team.start(next)
	p.log.Debug("lane is stuck; another takes over its work", "lane", stuck.index, "stuck", n)
	return true
}

// keepIdentity keeps the identity of a lane that ends. The fate of every batch that was sent under it is known.
func (p *Publisher) keepIdentity(i *identity) {
	if !i.id.Valid() {
		return
	}
	p.team.mu.Lock()
	defer p.team.mu.Unlock()
	p.team.identities = append(p.team.identities, *i)
}

func (p *Publisher) join(l *lane) {
	p.team.mu.Lock()
	defer p.team.mu.Unlock()
	p.team.lanes[l] = true
}

func (p *Publisher) quit(l *lane) {
	p.team.mu.Lock()
	defer p.team.mu.Unlock()
	delete(p.team.lanes, l)
}

// eachLane calls f for every lane that runs, without the team's lock: a lane that hands its work over holds its own
// lock while it takes the team's.
func (p *Publisher) eachLane(f func(*lane)) {
	p.team.mu.Lock()
	running := slices.Collect(maps.Keys(p.team.lanes))
	p.team.mu.Unlock()
	for _, l := range running {
		f(l)
	}
}
