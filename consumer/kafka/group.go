package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/joingroup"
	"github.com/segmentio/kafka-go/protocol/syncgroup"

	"sluice/internal/backoff"
)

// Membership is this process's place in the consumer group. One goroutine uses it.
//
// It replaces kafka-go's ConsumerGroup for three reasons. That one joins under a new id when its coordinator is away,
// and the group then waits for the old id until its session ends. It makes a new generation after any failed request.
// And it misses partitions that are added during a rebalance.
type Membership struct {
	k        *Client
	balancer *sticky
	id       string      // the coordinator's, kept over generations; empty: none yet
	gen      *Generation // nil: none
	pause    backoff.Backoff
	failed   bool
	reported string    // what the log last said about other applications in the group
	began    time.Time // of the generation; zero without one, and if this member is alone in it
}

// Join makes a membership. Next enters the group, and Leave leaves it.
func (k *Client) Join() *Membership {
	return &Membership{k: k, balancer: &sticky{}}
}

// Next waits for the end of the current generation and for the next one. After an error the caller calls Next again,
// which first waits. If ctx ends, Next returns its error, and the generation goes on until Leave.
func (m *Membership) Next(ctx context.Context) (*Generation, error) {
	if m.gen != nil {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-m.gen.life.Done():
		}
		m.end()
	}
	if m.failed && !m.pause.Wait(ctx) {
		return nil, ctx.Err()
	}
	gen, err := m.enter(ctx)
	if m.failed = err != nil; m.failed {
		return nil, fmt.Errorf("join the group: %w", err)
	}
	m.pause, m.gen = backoff.Backoff{}, gen
	m.began = time.Now()
	if m.balancer.alone() {
		m.began = time.Time{}
	}
	owned := make([]int32, len(gen.Partitions))
	for i, p := range gen.Partitions {
		owned[i] = int32(p)
	}
	m.balancer.own(gen.Member.Generation, map[string][]int32{m.k.conn.Topic: owned})
	return gen, nil
}

func (m *Membership) end() {
	m.gen.end()
	if m.gen.expelled {
		m.id = ""
	}
	m.gen = nil
}

// enterTries bounds the rebalances that enter takes part in at once, if the coordinator asks for another member id or
// begins another generation.
const enterTries = 10

// enter takes part in rebalances until one gives this member a generation.
func (m *Membership) enter(ctx context.Context) (gen *Generation, err error) {
	if _, err := m.k.Partitions(ctx); err != nil {
		return nil, err
	}
	for range enterTries {
		gen, err = m.rebalance(ctx)
		switch {
		case errors.Is(err, kafka.UnknownMemberId), errors.Is(err, kafka.FencedInstanceID):
			m.id = ""
		case errors.Is(err, kafka.MemberIDRequired), errors.Is(err, kafka.RebalanceInProgress),
			errors.Is(err, kafka.IllegalGeneration):
		default: // the id stays: the coordinator still knows it, or its successor does
			return gen, err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

// rebalance joins and syncs once.
func (m *Membership) rebalance(ctx context.Context) (*Generation, error) {
	joined, err := m.k.joinGroup(ctx, m.id, m.protocols())
	if joined != nil && joined.MemberID != "" {
		m.id = joined.MemberID
	}
	if errors.Is(err, kafka.InconsistentGroupProtocol) {
		return nil, m.k.groupIsTaken(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	me := Member{ID: joined.MemberID, Generation: int(joined.GenerationID)}
	var assignments []syncgroup.RequestAssignment
	shared, leader := 0, joined.LeaderID == joined.MemberID
	if leader {
		if assignments, shared, err = m.assign(ctx, joined); err != nil {
			return nil, err
		}
	}
	m.reportStrangers(joined, leader)
	mine, err := m.k.syncGroup(ctx, me, assignments)
	if err != nil {
		return nil, fmt.Errorf("sync: %w", err)
	}
	if me.Partitions, err = decodeAssignment(mine, m.k.conn.Topic); err != nil {
		return nil, err
	}
	gen := m.k.begin(me, leader, shared)
	gen.SharesBlocks = joined.ProtocolName == sharingProtocol
	return gen, nil
}

// sharingProtocol is the sticky balancer under another name, which only members know that know shared blocks. The group
// uses it if all of its members do.
const sharingProtocol = stickyProtocol + "-sharing"

func isSticky(protocol string) bool { return protocol == sharingProtocol || protocol == stickyProtocol }

// protocols are the balancers that this member knows: the sticky one first, and what members of older versions know.
func (m *Membership) protocols() []joingroup.RequestProtocol {
	topics := []string{m.k.conn.Topic}
	userData, _ := m.balancer.UserData() // never fails
	sticky := encodeSubscription(subscription{topics: topics, userData: userData})
	return []joingroup.RequestProtocol{
		{Name: sharingProtocol, Metadata: sticky},
		{Name: stickyProtocol, Metadata: sticky},
		{Name: kafka.RangeGroupBalancer{}.ProtocolName(), Metadata: encodeSubscription(subscription{topics: topics})},
	}
}

// assign is the leader's work: it gives each member its partitions. shared is how many partitions our topic had.
func (m *Membership) assign(ctx context.Context, joined *joingroup.Response) (
	out []syncgroup.RequestAssignment, shared int, err error,
) {
	members := make([]kafka.GroupMember, len(joined.Members))
	topics := map[string]bool{m.k.conn.Topic: true}
	for i, one := range joined.Members {
		s, _ := decodeSubscription(one.Metadata) // a member whose subscription cannot be read gets nothing
		members[i] = kafka.GroupMember{ID: one.MemberID, Topics: s.topics, UserData: s.userData}
		for _, t := range s.topics {
			topics[t] = true
		}
	}
	partitions, err := m.k.partitionsOf(ctx, keys(topics))
	if err != nil {
		return nil, 0, err
	}
	for _, p := range partitions {
		if p.Topic == m.k.conn.Topic {
			shared++
		}
	}
	var balancer kafka.GroupBalancer = m.balancer
	if !isSticky(joined.ProtocolName) {
		balancer = kafka.RangeGroupBalancer{}
	}
	given := balancer.AssignGroups(members, partitions)
	for _, one := range members {
		out = append(out, syncgroup.RequestAssignment{MemberID: one.ID, Assignment: encodeAssignment(given[one.ID])})
	}
	return out, shared, nil
}

// UntilAfterHeartbeat is the time until all members of the group have just sent their heartbeats; 0 if this member is
// alone. Members send them in step, because a generation begins for all at once, and learn of a rebalance only by their
// next heartbeat. So a member that leaves after this time and is back within a heartbeat, as after a restart, causes
// one rebalance and not two.
func (m *Membership) UntilAfterHeartbeat(now time.Time) time.Duration {
	if m.began.IsZero() {
		return 0
	}
	interval := m.k.timing.Heartbeat
	slack := interval / 10 // how far apart the members send their heartbeats
	since := (now.Sub(m.began) - slack) % interval
	if since < 2*slack {
		return max(0, -since)
	}
	return interval - since
}

// Leave ends the generation, waits for its functions and leaves the group. If the coordinator does not answer, the
// session ends later.
func (m *Membership) Leave() {
	if m.gen != nil {
		m.end()
	}
	if m.id == "" {
		return
	}
	if err := m.k.leaveGroup(context.Background(), m.id); err != nil {
		m.k.log.Info("cannot tell the group that this consumer leaves; the others wait for its session to end",
			"err", err)
	}
}
