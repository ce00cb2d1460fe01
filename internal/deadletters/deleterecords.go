package deadletters

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Kafka's request DeleteRecords, which kafka-go lacks: it moves the beginning of partitions to given offsets.
func init() { protocol.Register(&deleteRequest{}, &deleteResponse{}) }

type deleteRequest struct {
	Topics    []deleteTopic `kafka:"min=v0,max=v1"`
	TimeoutMs int32         `kafka:"min=v0,max=v1"`
}

type deleteTopic struct {
	Name       string            `kafka:"min=v0,max=v1"`
	Partitions []deletePartition `kafka:"min=v0,max=v1"`
}

type deletePartition struct {
	Partition int32 `kafka:"min=v0,max=v1"`
	Offset    int64 `kafka:"min=v0,max=v1"`
}

type deleteResponse struct {
	ThrottleTimeMs int32         `kafka:"min=v0,max=v1"`
	Topics         []deleteLevel `kafka:"min=v0,max=v1"`
}

type deleteLevel struct {
	Name       string        `kafka:"min=v0,max=v1"`
	Partitions []deleteState `kafka:"min=v0,max=v1"`
}

type deleteState struct {
	Partition    int32 `kafka:"min=v0,max=v1"`
	LowWatermark int64 `kafka:"min=v0,max=v1"`
	ErrorCode    int16 `kafka:"min=v0,max=v1"`
}

// ApiKey is part of protocol.Message.
func (*deleteRequest) ApiKey() protocol.ApiKey { return protocol.DeleteRecords } //nolint:revive // kafka-go's name

// ApiKey is part of protocol.Message.
func (*deleteResponse) ApiKey() protocol.ApiKey { return protocol.DeleteRecords } //nolint:revive // kafka-go's name

// Broker has kafka-go's transport send the request to the partition's leader.
func (r *deleteRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	topic := cluster.Topics[r.Topics[0].Name]
	leader, ok := cluster.Brokers[topic.Partitions[r.Topics[0].Partitions[0].Partition].Leader]
	if !ok {
		return protocol.Broker{ID: -1}, kafka.LeaderNotAvailable
	}
	return leader, nil
}

var errNoDeletion = errors.New("an answer without the partition")

// deleteBefore removes the letters of a partition before an offset.
func (d *Desk) deleteBefore(ctx context.Context, partition int, offset int64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	answer, err := d.client.Transport.RoundTrip(ctx, d.client.Addr, &deleteRequest{
		Topics: []deleteTopic{{
			Name: d.conn.DeadTopic, Partitions: []deletePartition{{Partition: int32(partition), Offset: offset}},
		}},
		TimeoutMs: int32(requestTimeout.Milliseconds()),
	})
	if err == nil {
		err = errNoDeletion
		if r, ok := answer.(*deleteResponse); ok && len(r.Topics) == 1 && len(r.Topics[0].Partitions) == 1 {
			err = nil
			if code := r.Topics[0].Partitions[0].ErrorCode; code != 0 {
				err = kafka.Error(code)
			}
		}
	}
	if err != nil {
		return fmt.Errorf("remove records of the topic %s, partition %d: %w", d.conn.DeadTopic, partition, err)
	}
	return nil
}
