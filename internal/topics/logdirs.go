package topics

import (
	"fmt"

	"github.com/segmentio/kafka-go/protocol"
)

// kafka-go lacks the request DescribeLogDirs, which asks a broker for the size of its logs.
func init() { protocol.Register(&logDirsRequest{}, &logDirsResponse{}) }

type logDirsRequest struct {
	Topics []logDirsTopic `kafka:"min=v1,max=v1,nullable"`
	broker int32
}

type logDirsTopic struct {
	Topic      string  `kafka:"min=v1,max=v1"`
	Partitions []int32 `kafka:"min=v1,max=v1"`
}

// ApiKey implements protocol.Message.
func (r *logDirsRequest) ApiKey() protocol.ApiKey { return protocol.DescribeLogDirs }

// Broker implements protocol.BrokerMessage. Only the broker that stores a log knows its size.
func (r *logDirsRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	broker, ok := cluster.Brokers[r.broker]
	if !ok {
		return protocol.Broker{}, fmt.Errorf("broker %d is not available", r.broker)
	}
	return broker, nil
}

type logDirsResponse struct {
	ThrottleTimeMs int32        `kafka:"min=v1,max=v1"`
	Dirs           []logDirsDir `kafka:"min=v1,max=v1"`
}

type logDirsDir struct {
	ErrorCode int16            `kafka:"min=v1,max=v1"`
	Dir       string           `kafka:"min=v1,max=v1"`
	Topics    []logDirsOfTopic `kafka:"min=v1,max=v1"`
}

type logDirsOfTopic struct {
	Topic      string             `kafka:"min=v1,max=v1"`
	Partitions []logDirsPartition `kafka:"min=v1,max=v1"`
}

type logDirsPartition struct {
	Partition int32 `kafka:"min=v1,max=v1"`
	Size      int64 `kafka:"min=v1,max=v1"`
	OffsetLag int64 `kafka:"min=v1,max=v1"`
	IsFuture  bool  `kafka:"min=v1,max=v1"`
}

// ApiKey implements protocol.Message.
func (r *logDirsResponse) ApiKey() protocol.ApiKey { return protocol.DescribeLogDirs }
