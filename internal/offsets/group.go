package offsets

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/internal/kafkaconn"
)

// requestTimeout is how long Kafka may take for one request.
const requestTimeout = 10 * time.Second

// Group is a consumer group on the topic of the events. Not safe for concurrent use.
type Group struct {
	name   string
	topic  string
	client *kafka.Client
}

// New returns the group with the name. It opens no connection. The caller calls closeGroup when done. An error lists the
// faults of the settings.
func New(conn kafkaconn.Config, name string) (group *Group, closeGroup func(), err error) {
	if err := conn.Check(); err != nil {
		return nil, nil, err
	}
	transport, err := conn.Transport("sluice-offsets")
	if err != nil {
		return nil, nil, err
	}
	return &Group{name: name, topic: conn.Topic, client: conn.Client(transport)}, transport.CloseIdleConnections, nil
}

// Partition is how far the group is on one partition.
type Partition struct {
	Number int   `json:"partition"`
	Start  int64 `json:"start"`     // the oldest record that Kafka keeps
	At     int64 `json:"committed"` // the next record that the group reads; -1: it has committed nothing
	End    int64 `json:"end"`       // behind the newest record
}

// Lag is how many offsets lie before the end.
func (p Partition) Lag() int64 { return max(0, p.End-max(p.At, p.Start)) }

// Partitions returns how far the group is, partition by partition.
func (g *Group) Partitions(ctx context.Context) ([]Partition, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	numbers, err := g.numbers(ctx)
	if err != nil {
		return nil, err
	}
	var ask []kafka.OffsetRequest
	for _, n := range numbers {
		ask = append(ask, kafka.FirstOffsetOf(n), kafka.LastOffsetOf(n))
	}
	found, err := g.list(ctx, ask)
	if err != nil {
		return nil, err
	}
	at, err := g.committed(ctx, numbers)
	if err != nil {
		return nil, err
	}
	all := make([]Partition, len(numbers))
	for i, n := range numbers {
		all[i] = Partition{Number: n, Start: found[n].FirstOffset, At: at[n], End: found[n].LastOffset}
	}
	return all, nil
}

// numbers returns the partitions of the topic, in order.
func (g *Group) numbers(ctx context.Context) (numbers []int, err error) {
	meta, err := g.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{g.topic}})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka about the topic %s: %w", g.topic, err)
	}
	for _, t := range meta.Topics {
		if t.Name == g.topic && t.Error != nil {
			return nil, fmt.Errorf("topic %s: %w (sluice topics apply makes it)", g.topic, t.Error)
		}
		for _, p := range t.Partitions {
			numbers = append(numbers, p.ID)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// list asks for offsets and returns them by partition.
func (g *Group) list(ctx context.Context, ask []kafka.OffsetRequest) (map[int]kafka.PartitionOffsets, error) {
	resp, err := g.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{g.topic: ask}})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for the offsets of the topic %s: %w", g.topic, err)
	}
	found := map[int]kafka.PartitionOffsets{}
	for _, p := range resp.Topics[g.topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("partition %d of the topic %s: %w", p.Partition, g.topic, p.Error)
		}
		found[p.Partition] = p
	}
	return found, nil
}

// committed returns the group's offsets by partition, -1 where there is none.
func (g *Group) committed(ctx context.Context, numbers []int) (map[int]int64, error) {
	resp, err := g.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: g.name, Topics: map[string][]int{g.topic: numbers},
	})
	if err == nil {
		err = resp.Error
	}
	if err != nil {
		return nil, fmt.Errorf("ask Kafka how far the consumer group %s is: %w", g.name, err)
	}
	at := map[int]int64{}
	for _, p := range resp.Topics[g.topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("partition %d of the consumer group %s: %w", p.Partition, g.name, p.Error)
		}
		at[p.Partition] = p.CommittedOffset
	}
	return at, nil
}

// Members returns the client ids of the consumers in the group.
func (g *Group) Members(ctx context.Context) (members []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := g.client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{g.name}})
	if err != nil {
		return nil, fmt.Errorf("ask Kafka for the members of the consumer group %s: %w", g.name, err)
	}
	for _, found := range resp.Groups {
		if found.Error != nil {
			return nil, fmt.Errorf("the members of the consumer group %s: %w", g.name, found.Error)
		}
		for _, m := range found.Members {
			members = append(members, m.ClientID+" "+strings.TrimPrefix(m.ClientHost, "/"))
		}
	}
	return members, nil
}
