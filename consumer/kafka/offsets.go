package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"

	"sluice/internal/together"
)

// ErrNotOwner says that the partition is not this generation's any more: nothing may be committed for it.
var ErrNotOwner = errors.New("the partition is no longer ours")

// committed is what the group has committed for a partition.
type committed struct {
	offset   int64
	metadata string
}

// Committed reads what the group has committed for a partition: an offset, negative for none, and its metadata. One
// request asks for all partitions that are asked for at the same time.
func (k *Client) Committed(ctx context.Context, partition int) (offset int64, metadata string, err error) {
	got, err := k.committed.Ask(ctx, partition)
	if err != nil {
		return 0, "", fmt.Errorf("committed offset: %w", err)
	}
	return got.offset, got.metadata, nil
}

func (k *Client) committedOfAll(ctx context.Context, partitions []int) []together.Answer[committed] {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	distinct := slices.Compact(slices.Sorted(slices.Values(partitions)))
	resp, err := k.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: k.group, Topics: map[string][]int{k.conn.Topic: distinct},
	})
	if err == nil {
		err = resp.Error
	}
	if err != nil {
		return together.All[committed](len(partitions), err)
	}
	answers := make(map[int]together.Answer[committed], len(distinct))
	for _, p := range resp.Topics[k.conn.Topic] {
		answers[p.Partition] = together.Answer[committed]{Value: committed{p.CommittedOffset, p.Metadata}, Err: p.Error}
	}
	out := make([]together.Answer[committed], len(partitions))
	for i, p := range partitions {
		var ok bool
		if out[i], ok = answers[p]; !ok {
			out[i].Err = errNoAnswer
		}
	}
	return out
}

// NoGroup reports whether an error of Committed says that the group does not exist. Other brokers answer that such a
// group has committed nothing.
func NoGroup(err error) bool { return errors.Is(err, kafka.GroupIdNotFound) }

// Offset is what is committed for a partition.
type Offset struct {
	Partition int
	Head      int64
	Metadata  string
}

// Commit stores an offset and its metadata for a partition. The error is ErrNotOwner if the generation is over, or
// never had the partition; the broker checks only the generation. After any other error the offset may be stored, or
// may be stored later, unless Refused says otherwise.
func (k *Client) Commit(ctx context.Context, m Member, partition int, offset int64, metadata string) error {
	return k.CommitAll(ctx, m, []Offset{{Partition: partition, Head: offset, Metadata: metadata}})[0]
}

// CommitRequests is how many requests have been sent that commit.
func (k *Client) CommitRequests() uint64 { return k.commits.Load() }

// CommitAll is Commit for several partitions with one request. The broker may store some of them and not others: there
// is an error, or nil, for each.
func (k *Client) CommitAll(ctx context.Context, m Member, all []Offset) []error {
	errs := make([]error, len(all))
	var sent []kafka.OffsetCommit
	for i, o := range all {
		if !slices.Contains(m.Partitions, o.Partition) {
			errs[i] = fmt.Errorf("commit: %w: it was never assigned", ErrNotOwner)
			continue
		}
		errs[i] = errors.New("commit: the broker did not answer for the partition")
		sent = append(sent, kafka.OffsetCommit{Partition: o.Partition, Offset: o.Head, Metadata: o.Metadata})
	}
	if len(sent) == 0 {
		return errs
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	k.commits.Add(1)
	resp, err := k.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: k.group, GenerationID: m.Generation, MemberID: m.ID,
		Topics: map[string][]kafka.OffsetCommit{k.conn.Topic: sent},
	})
	if err != nil {
		err = fmt.Errorf("commit: %w", err)
	}
	for i, o := range all {
		switch {
		case errors.Is(errs[i], ErrNotOwner):
		case err != nil:
			errs[i] = err
		default:
			for _, p := range resp.Topics[k.conn.Topic] {
				if p.Partition == o.Partition {
					errs[i] = commitError(p.Error)
				}
			}
		}
	}
	return errs
}

func commitError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kafka.IllegalGeneration), errors.Is(err, kafka.UnknownMemberId),
		errors.Is(err, kafka.RebalanceInProgress), errors.Is(err, kafka.FencedInstanceID):
		return fmt.Errorf("commit: %w: %w", ErrNotOwner, err)
	}
	return fmt.Errorf("commit: %w", err)
}

// Refused reports whether an error of Commit says that the offset was not stored, and will not be.
func Refused(err error) bool {
	for _, answer := range []kafka.Error{kafka.NotCoordinatorForGroup, kafka.GroupLoadInProgress,
		kafka.UnknownTopicOrPartition, kafka.OffsetMetadataTooLarge} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return errors.Is(err, ErrNotOwner)
}
