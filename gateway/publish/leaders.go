package publish

import (
	"context"
	"errors"
	"slices"
	"sluice/gateway/broker"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds that keep the time without a 202 under 3 s when a broker dies or hangs, while others lead partitions:
//
//	a broker that was killed: its connections are closed, which is seen before the next batch is written (aliveConn); that batch
//	  and all later ones go elsewhere at once. What was being written stays with its lane, and after stuckAfter another lane
//	  does that one's work.
//	a broker that hangs: each lane loses stuckAfter with its first batch for it. From then on no batch goes to it until it
//	  answers a probe, or another broker leads its partitions.
//
// So the longest time without a 202 is about stuckAfter and a lane's first request for a producer id. Kafka itself takes 9 s, the
// session of a broker, to elect a new leader; only what nobody knows to be written waits for that.
const (
	// stuckAfter is how long a lane works on one batch before another takes over its work. A produce request takes some
	// milliseconds, with a busy disk some hundreds; one lane more for a slow batch does no harm.
	stuckAfter = 500 * time.Millisecond
	// stuckMost bounds the batches of one lane that may be stuck while another does its work.
	stuckMost = 4
	// avoidFor is how long batches go around a partition that did not take one, while there are others.
	avoidFor = 500 * time.Millisecond
	// probeEvery is how often the brokers are asked that do not answer, and the leaders looked up, while any partition is avoided.
	probeEvery = 250 * time.Millisecond
	// probeTimeout bounds one such question. A broker that takes longer for the smallest request would hold batches up.
	probeTimeout = 500 * time.Millisecond
)

// leaders knows which partitions had better not be sent to: those whose leader does not answer, or that refused a batch just now.
type leaders struct {
	any  atomic.Bool // whether any is avoided: the normal path looks no further
	wake chan struct{}

	mu    sync.Mutex
	of    []broker.Replicas
	away  map[int32]bool    // brokers that did not answer
	until map[int]time.Time // partitions, and until when they are avoided
	held  map[int]int       // partitions with a key's batch that is stuck
}

func newLeaders() *leaders {
	return &leaders{wake: make(chan struct{}, 1), away: map[int32]bool{}, until: map[int]time.Time{}, held: map[int]int{}}
}

// note remembers how an attempt at a partition ended.
func (l *leaders) note(partition int, err error, now time.Time) {
	if err == nil && !l.any.Load() || errors.Is(err, broker.ErrRefused) || errors.Is(err, broker.ErrProducerID) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.leader(partition)
	if err == nil {
		delete(l.until, partition)
		delete(l.away, id)
		l.settle(now)
		return
	}
	l.until[partition] = now.Add(avoidFor)
	if id >= 0 && !errors.Is(err, broker.ErrAnswered) {
		l.away[id] = true
	}
	l.any.Store(true)
	select {
	case l.wake <- struct{}{}:
	default: // a token is there already
	}
}

// hang notes that a partition's leader has not answered for a while.
func (l *leaders) hang(partition int, now time.Time) {
	l.note(partition, context.DeadlineExceeded, now)
}

func (l *leaders) leader(partition int) int32 {
	if partition < 0 || partition >= len(l.of) {
		return -1
	}
	return l.of[partition].Leader
}

// settle notices that nothing is avoided any more.
func (l *leaders) settle(now time.Time) {
	for p, until := range l.until {
		if now.After(until) {
			delete(l.until, p)
		}
	}
	l.any.Store(len(l.away)+len(l.until) > 0)
}

// avoid says whether a batch that may go anywhere had better not go to a partition.
func (l *leaders) avoid(partition int, now time.Time) bool {
	if !l.any.Load() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.avoided(partition, now)
}

func (l *leaders) avoided(partition int, now time.Time) bool {
	id := l.leader(partition)
	return now.Before(l.until[partition]) || l.away[id] || id < 0 && partition < len(l.of)
}

// healthy says whether any of n partitions need not be avoided.
func (l *leaders) healthy(n int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range n {
		if !l.avoided(p, now) {
			return true
		}
	}
	return false
}

// hold keeps a partition's batches in the queue while one before them is stuck.
func (l *leaders) hold(partition, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[partition] += n; l.held[partition] == 0 {
		delete(l.held, partition)
	}
}

func (l *leaders) holds(partition int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[partition] > 0
}

// learn takes over who has the partitions now. A broker that leads a partition which it did not lead has come back.
func (l *leaders) learn(of []broker.Replicas, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range of {
		if p < len(l.of) && l.of[p].Leader != of[p].Leader {
			delete(l.away, of[p].Leader)
			delete(l.until, p)
		}
	}
	l.of = of
	for b := range l.away {
		if !slices.ContainsFunc(of, func(r broker.Replicas) bool { return r.Leader == b }) {
			delete(l.away, b) // nothing is sent to it
		}
	}
	l.settle(now)
}

// answered notes that a broker gave a sign of life.
func (l *leaders) answered(id int32, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.away, id)
	l.settle(now)
}

// silent are the brokers that do not answer.
func (l *leaders) silent() []int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var brokers []int32
	for b := range l.away {
		brokers = append(brokers, b)
	}
	return brokers
}

// avoidSilent tells the producer which brokers do not answer.
func (p *Publisher) avoidSilent() {
	if c, ok := p.producer.(broker.Cluster); ok {
		c.Avoid(p.leaders.silent())
	}
}

// watchLeaders asks who leads, and the brokers that do not answer, while any partition is avoided.
func (p *Publisher) watchLeaders(ctx context.Context) {
	c, ok := p.producer.(broker.Cluster)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.leaders.wake:
		}
		for p.leaders.any.Load() {
			if ok {
				p.askLeaders(ctx, c)
			} else {
				p.leaders.learn(nil, time.Now())
			}
			if !pause(ctx, probeEvery) {
				return
			}
		}
		if ok {
			c.Avoid(nil)
		}
	}
}

func (p *Publisher) askLeaders(ctx context.Context, c broker.Cluster) {
	silent := p.leaders.silent()
	c.Avoid(silent)
	if of, err := c.Replicas(ctx); err == nil {
		p.leaders.learn(of, time.Now())
	}
	var all sync.WaitGroup
	for _, id := range silent {
		all.Go(func() {
			if p.alive(ctx, c, id) {
				p.leaders.answered(id, time.Now())
			}
		})
	}
	all.Wait()
}

func (p *Publisher) alive(ctx context.Context, c broker.Cluster, id int32) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return c.Probe(ctx, id) == nil
}

// writable says whether Kafka could acknowledge a batch: some partition has a leader, enough replicas in sync, and all of those
// answer. A replica that counts as in sync and is dead holds up every acknowledgement until Kafka takes it off the list.
func (p *Publisher) writable(ctx context.Context, c broker.Cluster) bool {
	of, err := c.Replicas(ctx)
	if err != nil {
		return false
	}
	asked, answers := map[int32]bool{}, map[int32]bool{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, r := range of {
		for _, b := range append(r.InSync[:len(r.InSync):len(r.InSync)], r.Leader) {
			if b < 0 || asked[b] {
				continue
			}
			asked[b] = true
			all.Go(func() {
				yes := p.alive(ctx, c, b)
				mu.Lock()
				defer mu.Unlock()
				answers[b] = yes
			})
		}
	}
	all.Wait()
	for _, r := range of {
		ok := answers[r.Leader] && len(r.InSync) >= max(1, p.Topic().MinISR)
		for _, b := range r.InSync {
			ok = ok && answers[b]
		}
		if ok {
			return true
		}
	}
	return false
}
