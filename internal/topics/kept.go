package topics

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/internal/kafkaconn"
)

// Kept is what a topic has now, and for how long it keeps a record.
type Kept struct {
	Topic      string
	Partitions []Extent
	// For bounds how long a record may stay on the brokers' disks: the retention, and the time until a segment is
	// closed, because Kafka removes whole segments. 0: for ever.
	For time.Duration
}

// Extent is the part of a partition that exists: from First up to, not including, End.
type Extent struct {
	Partition  int
	First, End int64
}

// KeptBy asks Kafka what a topic has and keeps. It opens connections of its own and closes them.
func KeptBy(ctx context.Context, conn kafkaconn.Config, topic string) (Kept, error) {
	transport, err := conn.Transport("sluice-topics")
	if err != nil {
		return Kept{}, err
	}
	defer transport.CloseIdleConnections()
	a := &Admin{conn: conn, client: conn.Client(transport), out: io.Discard}
	if err := a.reach(ctx); err != nil {
		return Kept{}, err
	}
	s, err := a.describe(ctx, topic)
	if err != nil {
		return Kept{}, fmt.Errorf("topic %s: %w", topic, err)
	}
	if s.missing {
		return Kept{}, fmt.Errorf("topic %s is missing: check --kafka-topic and --kafka-dead-topic", topic)
	}
	k := Kept{Topic: topic, For: s.keeps()}
	k.Partitions, err = a.extents(ctx, topic, s.partitions)
	return k, err
}

// keeps is Kept.For.
func (s state) keeps() time.Duration {
	retention, ok := s.number(keyRetention)
	if !ok || retention < 0 {
		return 0
	}
	segment, ok := s.number(keySegmentTime)
	if !ok || segment < 0 {
		segment = usualSegmentTime.Milliseconds()
	}
	return time.Duration(retention+segment) * time.Millisecond
}

func (a *Admin) extents(ctx context.Context, topic string, partitions []kafka.Partition) ([]Extent, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var ask []kafka.OffsetRequest
	for _, p := range partitions {
		ask = append(ask, kafka.FirstOffsetOf(p.ID), kafka.LastOffsetOf(p.ID))
	}
	resp, err := a.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{topic: ask},
	})
	if err != nil {
		return nil, a.unreachable(err)
	}
	var all []Extent
	for _, p := range resp.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("partition %d of the topic %s: %w", p.Partition, topic, p.Error)
		}
		all = append(all, Extent{p.Partition, p.FirstOffset, p.LastOffset})
	}
	slices.SortFunc(all, func(a, b Extent) int { return a.Partition - b.Partition })
	return all, nil
}
