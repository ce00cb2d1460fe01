package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"sluice/internal/kafkaconn"
)

const (
	// fetchWait is how long the broker may hold an empty fetch.
	fetchWait = 500 * time.Millisecond
	// sessionTimeout is how long the group waits for a consumer that died before others take its partitions.
	sessionTimeout    = 15 * time.Second
	heartbeatInterval = 3 * time.Second
	rebalanceTimeout  = 30 * time.Second
	requestTimeout    = 10 * time.Second
	// heartbeatTimeout bounds one try, so that a coordinator that hangs is given up for the next one well within a session.
	heartbeatTimeout = 4 * time.Second
)

// cluster is the consumer's side of Kafka: membership of the group, fetches, commits, and writes of dead letters.
type cluster struct {
	conn      kafkaconn.Config
	group     string
	client    *kafka.Client
	transport *kafka.Transport
	log       *slog.Logger
	fetches   sync.Pool // of *rawFetch: their memory is shared by the partitions

	asking sync.Mutex
	spoken map[int]int // the highest version of each request that the brokers know, once they were asked
}

func newCluster(conn kafkaconn.Config, group string, log *slog.Logger) (*cluster, error) {
	transport, err := conn.Transport("sluice-consumer")
	if err != nil {
		return nil, err
	}
	return &cluster{conn: conn, group: group, client: conn.Client(transport), transport: transport, log: log}, nil
}

func (k *cluster) close() { k.transport.CloseIdleConnections() }

// bounds are the oldest offset of a partition that there still is, and the offset that the next record will get.
func (k *cluster) bounds(ctx context.Context, partition int) (first, end int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := k.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{
		Topics: map[string][]kafka.OffsetRequest{k.conn.Topic: {kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition)}},
	})
	if err != nil {
		return 0, 0, fmt.Errorf("bounds: %w", err)
	}
	for _, p := range resp.Topics[k.conn.Topic] {
		if p.Partition == partition {
			if p.Error != nil {
				return 0, 0, fmt.Errorf("bounds: %w", p.Error)
			}
			return p.FirstOffset, p.LastOffset, nil
		}
	}
	return 0, 0, errors.New("bounds: the broker did not answer for the partition")
}
