package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
)

// ErrNotOwner says that the partition is not this generation's any more: nothing may be committed for it.
var ErrNotOwner = errors.New("the partition is no longer ours")

// Committed reads what the group has committed for a partition: an offset, negative for none, and its metadata.
func (k *Client) Committed(ctx context.Context, partition int) (offset int64, metadata string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := k.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: k.group, Topics: map[string][]int{k.conn.Topic: {partition}},
	})
	if err != nil {
		return 0, "", fmt.Errorf("committed offset: %w", err)
	}
	if resp.Error != nil {
		return 0, "", fmt.Errorf("committed offset: %w", resp.Error)
	}
	for _, p := range resp.Topics[k.conn.Topic] {
		if p.Partition == partition {
			if p.Error != nil {
				return 0, "", fmt.Errorf("committed offset: %w", p.Error)
			}
			return p.CommittedOffset, p.Metadata, nil
		}
	}
	return 0, "", errors.New("committed offset: the broker did not answer for the partition")
}

// NoGroup reports whether an error of Committed says that the group does not exist. Other brokers answer that such a
// group has committed nothing.
func NoGroup(err error) bool { return errors.Is(err, kafka.GroupIdNotFound) }

// Commit stores an offset and its metadata for a partition. The error is ErrNotOwner if the generation is over, or
// never had the partition; the broker checks only the generation. After any other error the offset may be stored, or
// may be stored later.
func (k *Client) Commit(ctx context.Context, m Member, partition int, offset int64, metadata string) error {
	if !slices.Contains(m.Partitions, partition) {
		return fmt.Errorf("commit: %w: it was never assigned", ErrNotOwner)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := k.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: k.group, GenerationID: m.Generation, MemberID: m.ID,
		Topics: map[string][]kafka.OffsetCommit{k.conn.Topic: {{Partition: partition, Offset: offset,
			Metadata: metadata}}},
	})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, p := range resp.Topics[k.conn.Topic] {
		if p.Partition != partition {
			continue
		}
		switch {
		case errors.Is(p.Error, kafka.IllegalGeneration), errors.Is(p.Error, kafka.UnknownMemberId),
			errors.Is(p.Error, kafka.RebalanceInProgress), errors.Is(p.Error, kafka.FencedInstanceID):
			return fmt.Errorf("commit: %w: %w", ErrNotOwner, p.Error)
		case p.Error != nil:
			return fmt.Errorf("commit: %w", p.Error)
		}
		return nil
	}
	return errors.New("commit: the broker did not answer for the partition")
}
