package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// member is this process in one generation of the group.
type member struct {
	id         string
	generation int
	partitions []int // that are this member's in the generation
}

// generation is the time between two rebalances.
type generation struct {
	member
	leader bool
	shared int // how many partitions of the topic the leader shared out; 0 where this member is not the leader

	life     context.Context // of the functions
	over     context.CancelFunc
	work     sync.WaitGroup // the functions
	minded   context.CancelFunc
	minding  sync.WaitGroup // heartbeats and the look at the topic
	expelled bool           // the group does not know the member any more; of the heartbeats, until minding is done
}

// run gives the generation a function to wait for: its context ends with the generation, and no next one begins before it has
// returned.
func (g *generation) run(fn func(ctx context.Context)) {
	g.work.Go(func() { fn(g.life) })
}

// begin starts the heartbeats. end stops them.
func (k *cluster) begin(m member, leader bool, shared int) *generation {
	g := &generation{member: m, leader: leader, shared: shared}
	g.life, g.over = context.WithCancel(context.Background())
	minded, stop := context.WithCancel(context.Background())
	g.minded = stop
	g.minding.Go(func() { k.heartbeats(minded, g) })
	g.minding.Go(func() { k.watchTopic(g.life, g) })
	return g
}

// end ends the generation and waits for its functions. Heartbeats go on until they have returned, so that their last commits count.
// All functions must have been given to run before.
func (g *generation) end() {
	g.over()
	g.work.Wait()
	g.minded()
	g.minding.Wait()
}

// heartbeats keeps the member in the group until ctx ends. Only the coordinator's word ends a generation: while it is away, or moves to
// another broker, it is asked again. The next coordinator knows the members and their generation, so that nobody has to stop. What a
// member does that was expelled meanwhile is fenced by its commits.
func (k *cluster) heartbeats(ctx context.Context, g *generation) {
	ticker := time.NewTicker(heartbeatInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := k.heartbeatUntilAnswered(ctx, g)
		switch {
		case errors.Is(err, kafka.UnknownMemberId), errors.Is(err, kafka.IllegalGeneration), errors.Is(err, kafka.FencedInstanceID):
			g.expelled = !errors.Is(err, kafka.IllegalGeneration)
			k.log.Info("the group has gone on without this consumer, joining again", "generation", g.generation, "err", err)
			g.over()
			return
		case errors.Is(err, kafka.RebalanceInProgress):
			g.over()
		}
	}
}

// heartbeatUntilAnswered returns the coordinator's answer, nil for "all is well".
func (k *cluster) heartbeatUntilAnswered(ctx context.Context, g *generation) error {
	var pause backoff
	began, said := time.Now(), false
	for {
		err := k.heartbeat(ctx, g.member)
		if answersMember(err) {
			if said {
				k.log.Info("the group's coordinator answers again", "generation", g.generation, "after", time.Since(began).Round(time.Millisecond))
			}
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if !said && time.Since(began) > heartbeatInterval { // a coordinator that moves takes less
			k.log.Warn("the group's coordinator does not answer, retrying", "generation", g.generation, "err", err)
			said = true
		}
		if !pause.waitAtMost(ctx, time.Second) {
			return nil
		}
	}
}

// answersMember says whether an answer to a heartbeat is about the member, and not about the coordinator or the way to it.
func answersMember(err error) bool {
	for _, answer := range []kafka.Error{kafka.UnknownMemberId, kafka.IllegalGeneration, kafka.FencedInstanceID, kafka.RebalanceInProgress} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return err == nil
}
