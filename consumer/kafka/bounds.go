package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
	"golang.org/x/sync/errgroup"

	"sluice/internal/together"
)

// bounds are where a partition begins and ends.
type bounds struct{ first, end int64 }

// Bounds asks a partition's leader for the oldest offset on the topic and for the offset that the next record will get.
// The transport may send it to an old leader for up to a second after a change. A leader is asked for all partitions
// that are asked for at the same time.
func (k *Client) Bounds(ctx context.Context, partition int) (first, end int64, err error) {
	leader, err := k.leaders.of(ctx, partition)
	if err != nil {
		return 0, 0, fmt.Errorf("bounds: %w", err)
	}
	got, err := k.boundsOf(leader).Ask(ctx, partition)
	if err != nil {
		k.leaders.forget()
		return 0, 0, fmt.Errorf("bounds: %w", err)
	}
	return got.first, got.end, nil
}

// boundsOf is what is asked of a leader.
func (k *Client) boundsOf(leader int) *together.Questions[int, bounds] {
	k.mu.Lock()
	defer k.mu.Unlock()
	q := k.bounds[leader]
	if q == nil {
		q = together.New(func(ctx context.Context, partitions []int) []together.Answer[bounds] {
			return k.boundsOfAll(ctx, leader, partitions)
		})
		k.bounds[leader] = q
	}
	return q
}

// errNoAnswer says that a broker's answer leaves a partition out.
var errNoAnswer = errors.New("the broker did not answer for the partition")

// boundsOfAll asks a leader once for the oldest and once for the newest offsets: a request may name a partition only
// once. kafka-go's own ListOffsets makes a request, and a connection, for each offset.
func (k *Client) boundsOfAll(ctx context.Context, leader int, partitions []int) []together.Answer[bounds] {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	distinct := slices.Compact(slices.Sorted(slices.Values(partitions)))
	var firsts, ends map[int]offsetAnswer
	var both errgroup.Group
	both.Go(func() (err error) {
		firsts, err = k.listOffsets(ctx, leader, distinct, kafka.FirstOffset)
		return err
	})
	both.Go(func() (err error) {
		ends, err = k.listOffsets(ctx, leader, distinct, kafka.LastOffset)
		return err
	})
	if err := both.Wait(); err != nil {
		return together.All[bounds](len(partitions), err)
	}
	out := make([]together.Answer[bounds], len(partitions))
	for i, p := range partitions {
		first, end := firsts[p].known(), ends[p].known()
		out[i] = together.Answer[bounds]{Value: bounds{first.offset, end.offset}, Err: cmp.Or(first.err, end.err)}
	}
	return out
}

// offsetAnswer is one offset of one partition. The zero value is no answer.
type offsetAnswer struct {
	offset int64
	err    error
	is     bool
}

func (a offsetAnswer) known() offsetAnswer {
	if !a.is && a.err == nil {
		a.err = errNoAnswer
	}
	return a
}

// listOffsets asks a broker for one offset of each of some partitions, by partition.
func (k *Client) listOffsets(
	ctx context.Context, leader int, partitions []int, at int64,
) (map[int]offsetAnswer, error) {
	asked := make([]listoffsets.RequestPartition, len(partitions))
	for i, p := range partitions {
		asked[i] = listoffsets.RequestPartition{Partition: int32(p), CurrentLeaderEpoch: -1, Timestamp: at}
	}
	answer, err := k.transport.RoundTrip(ctx, k.client.Addr, &brokerRequest{
		plainRequest: plainRequest{most: listOffsetsVersion, Message: &listoffsets.Request{
			ReplicaID: -1, Topics: []listoffsets.RequestTopic{{Topic: k.conn.Topic, Partitions: asked}},
		}},
		broker: leader,
	})
	if err != nil {
		return nil, err
	}
	listed, ok := answer.(*listoffsets.Response)
	if !ok {
		return nil, fmt.Errorf("an answer of type %T", answer)
	}
	out := map[int]offsetAnswer{}
	for _, t := range listed.Topics {
		for _, p := range t.Partitions {
			out[int(p.Partition)] = offsetAnswer{offset: p.Offset, err: code(p.ErrorCode), is: true}
		}
	}
	return out, nil
}

// listOffsetsVersion is the last version that kafka-go knows.
const listOffsetsVersion = 5
