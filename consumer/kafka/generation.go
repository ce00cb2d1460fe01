package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/internal/backoff"
)

// Member is this process in one generation of the group.
type Member struct {
	ID         string
	Generation int
	// Partitions are the member's in the generation.
	Partitions []int
}

// Generation is the time between two rebalances of the group.
type Generation struct {
	Member

	// SharesBlocks says that all members of the group know blocks that partitions share.
	SharesBlocks bool

	leader bool
	shared int // how many partitions of the topic the leader shared out; 0 if this member is not the leader

	life       context.Context // of the functions
	over       context.CancelFunc
	work       sync.WaitGroup // the functions
	unattend   context.CancelFunc
	attendance sync.WaitGroup // heartbeats, and the watch over the topic
	// expelled says that the group does not know the member any more. The heartbeats write it before attendance is
	// done.
	expelled bool
}

// Run calls fn in a goroutine. The context of fn ends with the generation, and the next generation does not begin
// before fn has returned.
func (g *Generation) Run(fn func(ctx context.Context)) {
	g.work.Go(func() { fn(g.life) })
}

// begin starts the heartbeats. end stops them.
func (k *Client) begin(m Member, leader bool, shared int) *Generation {
	g := &Generation{Member: m, leader: leader, shared: shared}
	g.life, g.over = context.WithCancel(context.Background())
	attended, stop := context.WithCancel(context.Background())
	g.unattend = stop
	g.attendance.Go(func() { k.heartbeats(attended, g) })
	g.attendance.Go(func() { k.watchTopic(g.life, g) })
	return g
}

// end ends the generation and waits for its functions. Heartbeats go on until the functions have returned, so that
// their last commits count. Run must not be called after end.
func (g *Generation) end() {
	g.over()
	g.work.Wait()
	g.unattend()
	g.attendance.Wait()
}

// heartbeats keeps the member in the group until ctx ends. A generation ends only if the coordinator says so: while the
// coordinator is away, or moves to another broker, it is asked again. The next coordinator knows the members and their
// generation, so nobody has to stop. The commits of a member that was expelled without knowing are refused.
func (k *Client) heartbeats(ctx context.Context, g *Generation) {
	ticker := time.NewTicker(k.timing.Heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := k.heartbeatUntilAnswered(ctx, g)
		switch {
		case errors.Is(err, kafka.UnknownMemberId), errors.Is(err, kafka.FencedInstanceID),
			errors.Is(err, kafka.IllegalGeneration):
			g.expelled = !errors.Is(err, kafka.IllegalGeneration)
			k.log.Info("the group has gone on without this consumer, joining again", "generation", g.Member.Generation,
				"err", err)
			g.over()
			return
		case errors.Is(err, kafka.RebalanceInProgress):
			g.over()
		}
	}
}

// heartbeatUntilAnswered returns the coordinator's answer, nil if the generation goes on.
func (k *Client) heartbeatUntilAnswered(ctx context.Context, g *Generation) error {
	var pause backoff.Backoff
	began, logged := time.Now(), false
	for {
		err := k.heartbeat(ctx, g.Member)
		if answersMember(err) {
			if logged {
				k.log.Info("the group's coordinator answers again",
					"generation", g.Member.Generation, "after", time.Since(began).Round(time.Millisecond))
			}
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if !logged && time.Since(began) > k.timing.Heartbeat { // a coordinator that moves takes less
			k.log.Warn("the group's coordinator does not answer, retrying", "generation", g.Member.Generation,
				"err", err)
			logged = true
		}
		if !pause.WaitAtMost(ctx, time.Second) {
			return nil
		}
	}
}

// answersMember says whether the answer to a heartbeat is about the member, and not about the coordinator or the
// connection to it.
func answersMember(err error) bool {
	about := []kafka.Error{kafka.UnknownMemberId, kafka.IllegalGeneration, kafka.FencedInstanceID,
		kafka.RebalanceInProgress}
	for _, answer := range about {
		if errors.Is(err, answer) {
			return true
		}
	}
	return err == nil
}
