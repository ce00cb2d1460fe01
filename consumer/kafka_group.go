package consumer

import (
	"context"
	"fmt"
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
	// run gives the generation a function to wait for: its context ends with the generation, and no next one begins before
	// it has returned. It must not return before its context ended, because that would end the generation for all.
	run func(fn func(ctx context.Context))
}

// membership is this process's place in the consumer group.
type membership struct {
	group  *kafka.ConsumerGroup
	topic  string
	sticky *sticky
	began  time.Time // the generation; the zero time while there is none, or none but this member in it
}

// join makes this process a member of the group. Close the result to leave.
func (k *cluster) join() (*membership, error) {
	balancer := &sticky{}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                     k.group,
		Brokers:                k.conn.Brokers,
		Dialer:                 k.dialer,
		Topics:                 []string{k.conn.Topic},
		GroupBalancers:         []kafka.GroupBalancer{balancer, kafka.RangeGroupBalancer{}}, // the second for members of an older version
		SessionTimeout:         sessionTimeout,
		HeartbeatInterval:      heartbeatInterval,
		RebalanceTimeout:       rebalanceTimeout,
		JoinGroupBackoff:       time.Second,
		WatchPartitionChanges:  true,
		PartitionWatchInterval: 5 * time.Second,
		StartOffset:            kafka.FirstOffset,
		ErrorLogger:            kafka.LoggerFunc(func(text string, args ...any) { k.log.Debug("kafka group", "text", fmt.Sprintf(text, args...)) }),
	})
	if err != nil {
		return nil, fmt.Errorf("consumer group: %w", err)
	}
	return &membership{group: group, topic: k.conn.Topic, sticky: balancer}, nil
}

// next waits for the next generation. An error means that joining failed and is being tried again.
func (m *membership) next(ctx context.Context) (*generation, error) {
	gen, err := m.group.Next(ctx)
	if err != nil {
		return nil, fmt.Errorf("join the group: %w", err)
	}
	m.began = time.Now()
	if m.sticky.alone() {
		m.began = time.Time{}
	}
	out := &generation{member: member{id: gen.MemberID, generation: int(gen.ID)}, run: gen.Start}
	owned := make([]int32, 0, len(gen.Assignments[m.topic]))
	for _, a := range gen.Assignments[m.topic] {
		out.partitions = append(out.partitions, a.ID) // the offset is fetched with its metadata, which is not here
		owned = append(owned, int32(a.ID))            //nolint:gosec // Kafka's own type
	}
	m.sticky.own(out.generation, map[string][]int32{m.topic: owned})
	return out, nil
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

// leave ends the generation, waits for its functions and leaves the group.
func (m *membership) leave() error {
	if err := m.group.Close(); err != nil {
		return fmt.Errorf("leave the group: %w", err)
	}
	return nil
}

// partitions is how many partitions the topic has.
func (k *cluster) partitions(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{k.conn.Topic}})
	if err != nil {
		return 0, fmt.Errorf("metadata: %w", err)
	}
	for _, t := range meta.Topics {
		if t.Name == k.conn.Topic && t.Error == nil {
			return len(t.Partitions), nil
		}
	}
	return 0, fmt.Errorf("metadata: topic %s is not there", k.conn.Topic)
}
