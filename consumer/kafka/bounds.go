package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/listoffsets"

	"sluice/consumer/together"
)

// bounds are where a partition begins and ends.
type bounds struct{ first, end int64 }

// Bounds asks a partition's leader for the oldest offset on the topic and for the offset that the next record will get.
// The transport may send it to an old leader for up to a second after a change. A leader is asked for all partitions
// that are asked for at the same time.
func (k *Client) Bounds(ctx context.Context, partition int) (first, end int64, err error) {
	got, err := k.bounds.Ask(ctx, partition)
	if err != nil {
		return 0, 0, fmt.Errorf("bounds: %w", err)
	}
	return got.first, got.end, nil
}

// errNoAnswer says that a broker's answer leaves a partition out.
var errNoAnswer = errors.New("the broker did not answer for the partition")

// boundsOfAll asks each leader once for the oldest and once for the newest offsets: a request may name a partition only
// once. kafka-go's own ListOffsets makes a request, and a connection, for each offset.
func (k *Client) boundsOfAll(ctx context.Context, partitions []int) []together.Answer[bounds] {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	leaders, err := k.leadersOf(ctx, partitions)
	if err != nil {
		return together.All[bounds](len(partitions), err)
	}
	var mu sync.Mutex
	firsts, ends := map[int]offsetAnswer{}, map[int]offsetAnswer{}
	var all sync.WaitGroup
	for leader, led := range leaders {
		for at, into := range map[int64]map[int]offsetAnswer{kafka.FirstOffset: firsts, kafka.LastOffset: ends} {
			all.Go(func() {
				got, err := k.listOffsets(ctx, leader, led, at)
				mu.Lock()
				defer mu.Unlock()
				for _, p := range led {
					if into[p] = got[p]; err != nil {
						into[p] = offsetAnswer{err: err}
					}
				}
			})
		}
	}
	all.Wait()
	out := make([]together.Answer[bounds], len(partitions))
	for i, p := range partitions {
		first, end := firsts[p].known(), ends[p].known()
		out[i] = together.Answer[bounds]{Value: bounds{first.offset, end.offset}, Err: errors.Join(first.err, end.err)}
	}
	return out
}

// leadersOf groups partitions by the brokers that lead them. A partition that the topic does not have is in no group.
func (k *Client) leadersOf(ctx context.Context, partitions []int) (map[int][]int, error) {
	all, err := k.partitionsOf(ctx, []string{k.conn.Topic})
	if err != nil {
		return nil, err
	}
	leaders := make(map[int]int, len(all))
	for _, p := range all {
		leaders[p.ID] = p.Leader.ID
	}
	groups, seen := map[int][]int{}, map[int]bool{}
	for _, p := range partitions {
		if leader, ok := leaders[p]; ok && !seen[p] {
			seen[p] = true
			groups[leader] = append(groups[leader], p)
		}
	}
	return groups, nil
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

// brokerRequest is a request to one broker.
type brokerRequest struct {
	plainRequest

	broker int
}

// Broker has kafka-go's transport send the request to the broker.
func (r *brokerRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	broker, ok := cluster.Brokers[int32(r.broker)]
	if !ok {
		return broker, kafka.BrokerNotAvailable
	}
	return broker, nil
}
