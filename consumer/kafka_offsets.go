package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
)

// committed reads what the group has committed for a partition: an offset, negative for none, and its metadata.
func (k *cluster) committed(ctx context.Context, partition int) (offset int64, metadata string, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := k.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: k.group, Topics: map[string][]int{k.conn.Topic: {partition}}})
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

// errNotOwner: the partition is no longer this generation's, so nothing more may be committed for it.
var errNotOwner = errors.New("the partition is no longer ours")

// commit stores an offset with its metadata. The broker refuses it once the generation is over, which errNotOwner tells; that the
// partition is one of the generation's is looked at here, because the broker does not.
func (k *cluster) commit(ctx context.Context, m member, partition int, offset int64, metadata string) error {
	if !slices.Contains(m.partitions, partition) {
		return fmt.Errorf("commit: %w: it was never assigned", errNotOwner)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := k.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: k.group, GenerationID: m.generation, MemberID: m.id,
		Topics: map[string][]kafka.OffsetCommit{k.conn.Topic: {{Partition: partition, Offset: offset, Metadata: metadata}}},
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
			return fmt.Errorf("commit: %w: %w", errNotOwner, p.Error)
		case p.Error != nil:
			return fmt.Errorf("commit: %w", p.Error)
		}
		return nil
	}
	return errors.New("commit: the broker did not answer for the partition")
}
