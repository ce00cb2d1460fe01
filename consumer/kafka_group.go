package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/joingroup"
	"github.com/segmentio/kafka-go/protocol/syncgroup"
)

// membership is this process's place in the consumer group. It is kafka-go's ConsumerGroup made anew, because that one joins as
// somebody else when its coordinator is away, and the group then waits for the one it was until its session ends; because it makes a
// new generation after any failed request; and because it misses partitions that are added while they are shared out.
type membership struct {
	k         *cluster
	balancer  *sticky
	id        string      // from the coordinator, kept over generations; empty: none yet
	gen       *generation // nil: none
	pause     backoff     // after a failure
	failed    bool
	strangers string    // what was last said about others in the group
	began     time.Time // the generation; the zero time while there is none, or none but this member in it
}

// join makes a membership. next enters the group, and leave leaves it.
func (k *cluster) join() *membership {
	return &membership{k: k, balancer: &sticky{}}
}

// next waits for the end of the generation and for the next one. An error means that joining failed and is to be tried again; it
// waits before it does so. When ctx ends the generation goes on until leave.
func (m *membership) next(ctx context.Context) (*generation, error) {
	if m.gen != nil {
		select {
		case <-ctx.Done():
			return nil, ctx.Err() //nolint:wrapcheck // the caller's
		case <-m.gen.life.Done():
		}
		m.end()
	}
	if m.failed && !m.pause.wait(ctx) {
		return nil, ctx.Err() //nolint:wrapcheck // the caller's
	}
	gen, err := m.enter(ctx)
	if m.failed = err != nil; m.failed {
		return nil, fmt.Errorf("join the group: %w", err)
	}
	m.pause, m.gen = backoff{}, gen
	m.began = time.Now()
	if m.balancer.alone() {
		m.began = time.Time{}
	}
	owned := make([]int32, len(gen.partitions))
	for i, p := range gen.partitions {
		owned[i] = int32(p) //nolint:gosec // Kafka's own type
	}
	m.balancer.own(gen.generation, map[string][]int32{m.k.conn.Topic: owned})
	return gen, nil
}

// end ends the generation.
func (m *membership) end() {
	m.gen.end()
	if m.gen.expelled {
		m.id = ""
	}
	m.gen = nil
}

// enterTries is how often a coordinator is asked again at once that wants another member id, or goes on with another generation.
const enterTries = 10

// enter takes part in one rebalance.
func (m *membership) enter(ctx context.Context) (gen *generation, err error) {
	if _, err := m.k.partitions(ctx); err != nil {
		return nil, err
	}
	for range enterTries {
		gen, err = m.rebalance(ctx)
		switch {
		case errors.Is(err, kafka.UnknownMemberId), errors.Is(err, kafka.FencedInstanceID):
			m.id = ""
		case errors.Is(err, kafka.MemberIDRequired), errors.Is(err, kafka.RebalanceInProgress), errors.Is(err, kafka.IllegalGeneration):
		default: // the id stays: the coordinator still knows it, or the one that takes over from it
			return gen, err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// rebalance is one way through join and sync.
func (m *membership) rebalance(ctx context.Context) (*generation, error) {
	joined, err := m.k.joinGroup(ctx, m.id, m.protocols())
	if joined != nil && joined.MemberID != "" {
		m.id = joined.MemberID
	}
	if errors.Is(err, kafka.InconsistentGroupProtocol) {
		return nil, m.k.taken(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	me := member{id: joined.MemberID, generation: int(joined.GenerationID)}
	var assignments []syncgroup.RequestAssignment
	shared, leader := 0, joined.LeaderID == joined.MemberID
	if leader {
		if assignments, shared, err = m.share(ctx, joined); err != nil {
			return nil, err
		}
	}
	m.meet(joined, leader)
	mine, err := m.k.syncGroup(ctx, me, assignments)
	if err != nil {
		return nil, fmt.Errorf("sync: %w", err)
	}
	if me.partitions, err = decodeAssignment(mine, m.k.conn.Topic); err != nil {
		return nil, err
	}
	return m.k.begin(me, leader, shared), nil
}

// protocols are the ways to share partitions out that this member knows: ours first, and one for members of an older version.
func (m *membership) protocols() []joingroup.RequestProtocol {
	topics := []string{m.k.conn.Topic}
	userData, _ := m.balancer.UserData() // has no errors
	return []joingroup.RequestProtocol{
		{Name: stickyProtocol, Metadata: encodeSubscription(subscription{topics: topics, userData: userData})},
		{Name: kafka.RangeGroupBalancer{}.ProtocolName(), Metadata: encodeSubscription(subscription{topics: topics})},
	}
}

// share is the leader's work: it gives each member its partitions, and says how many of our topic there were.
func (m *membership) share(ctx context.Context, joined *joingroup.Response) ([]syncgroup.RequestAssignment, int, error) {
	members := make([]kafka.GroupMember, len(joined.Members))
	topics := map[string]bool{m.k.conn.Topic: true}
	for i, one := range joined.Members {
		s, _ := decodeSubscription(one.Metadata) // what cannot be read wants nothing
		members[i] = kafka.GroupMember{ID: one.MemberID, Topics: s.topics, UserData: s.userData}
		for _, t := range s.topics {
			topics[t] = true
		}
	}
	partitions, err := m.k.partitionsOf(ctx, keys(topics))
	if err != nil {
		return nil, 0, err
	}
	shared := 0
	for _, p := range partitions {
		if p.Topic == m.k.conn.Topic {
			shared++
		}
	}
	var balancer kafka.GroupBalancer = m.balancer
	if joined.ProtocolName != stickyProtocol {
		balancer = kafka.RangeGroupBalancer{}
	}
	var out []syncgroup.RequestAssignment
	given := balancer.AssignGroups(members, partitions)
	for _, one := range members {
		out = append(out, syncgroup.RequestAssignment{MemberID: one.ID, Assignment: encodeAssignment(given[one.ID])})
	}
	return out, shared, nil
}

// heartbeatSlack is how far apart the heartbeats of a generation's members are believed to be.
const heartbeatSlack = heartbeatInterval / 10

// lull is how long it is until all members have just sent their heartbeats, which they do in step, because a generation begins for
// all at once. The others do not notice before their next heartbeat that one has left. So one that leaves then, and is back before
// that, as after a restart, makes one rebalance and not two.
func (m *membership) lull(now time.Time) time.Duration {
	if m.began.IsZero() {
		return 0
	}
	since := (now.Sub(m.began) - heartbeatSlack) % heartbeatInterval
	if since < 2*heartbeatSlack {
		return max(0, -since)
	}
	return heartbeatInterval - since
}

// leave ends the generation, waits for its functions and leaves the group. A coordinator that does not answer finds out by itself.
func (m *membership) leave() {
	if m.gen != nil {
		m.end()
	}
	if m.id == "" {
		return
	}
	if err := m.k.leaveGroup(context.Background(), m.id); err != nil {
		m.k.log.Info("the group was not told that this consumer leaves; the others wait for its session to end", "err", err)
	}
}
