package offsets

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// ErrRunning says that consumers of the group run. They would overwrite the offsets.
var ErrRunning = errors.New("consumers of the group run: stop them first")

// Move is what a rewind does to one partition.
type Move struct {
	Partition
	To int64 `json:"to"` // the next record that the group reads afterwards
}

// Records is how many offsets will be read again.
func (m Move) Records() int64 { return m.At - m.To }

// Plan returns what a rewind to a time moves. Each partition goes back to its first record that Kafka received at that
// time or later; a zero time means to the oldest record. Partitions that are not past that record are left out.
func (g *Group) Plan(ctx context.Context, to time.Time) ([]Move, error) {
	all, err := g.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	targets := map[int]int64{}
	if !to.IsZero() {
		if targets, err = g.since(ctx, all, to); err != nil {
			return nil, err
		}
	}
	var moves []Move
	for _, p := range all {
		target := p.Start
		if !to.IsZero() {
			target = max(p.Start, targets[p.Number])
		}
		if target < p.At {
			moves = append(moves, Move{p, target})
		}
	}
	return moves, nil
}

// since returns the offset of each partition's first record of a time or later, or the partition's end.
func (g *Group) since(ctx context.Context, all []Partition, at time.Time) (map[int]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	ask := make([]kafka.OffsetRequest, len(all))
	for i, p := range all {
		ask[i] = kafka.TimeOffsetOf(p.Number, at)
	}
	found, err := g.list(ctx, ask)
	if err != nil {
		return nil, err
	}
	targets := map[int]int64{}
	for _, p := range all {
		targets[p.Number] = p.End
		for offset := range found[p.Number].Offsets {
			if offset >= 0 {
				targets[p.Number] = offset
			}
		}
	}
	return targets, nil
}

// Rewind does what a plan says. It returns ErrRunning, and changes nothing, if consumers of the group run.
func (g *Group) Rewind(ctx context.Context, moves []Move) error {
	members, err := g.Members(ctx)
	if err != nil {
		return err
	}
	if len(members) > 0 {
		return fmt.Errorf("%w (%s)", ErrRunning, strings.Join(members, ", "))
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	commits := make([]kafka.OffsetCommit, len(moves))
	for i, m := range moves {
		commits[i] = kafka.OffsetCommit{Partition: m.Number, Offset: m.To}
	}
	resp, err := g.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: g.name, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{g.topic: commits},
	})
	if err != nil {
		return fmt.Errorf("set the offsets of the consumer group %s: %w", g.name, err)
	}
	for _, p := range resp.Topics[g.topic] {
		if p.Error != nil {
			err = errors.Join(err, fmt.Errorf("partition %d of the consumer group %s: %w", p.Partition, g.name, p.Error))
		}
	}
	return err
}
