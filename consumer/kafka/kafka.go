package kafka

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
	// sessionTimeout is how long the group waits for a consumer that died before others take its partitions.
	sessionTimeout    = 15 * time.Second
	heartbeatInterval = 3 * time.Second
	rebalanceTimeout  = 30 * time.Second
	requestTimeout    = 10 * time.Second
	// heartbeatTimeout bounds one heartbeat, so that a coordinator that hangs is asked again well within a session.
	heartbeatTimeout = 4 * time.Second

	clientID = "sluice-consumer"
)

// Client is the consumer's side of Kafka: it joins the group, fetches, commits, and writes dead letters. It is safe for
// concurrent use.
type Client struct {
	conn      kafkaconn.Config
	group     string
	client    *kafka.Client
	transport *kafka.Transport
	log       *slog.Logger
	fetches   sync.Pool // of *rawFetch: the partitions share their memory

	mu       sync.Mutex
	versions map[int]int // the highest version of each request that the brokers know; nil: they were not asked yet
}

// New makes a client. It opens no connection.
func New(conn kafkaconn.Config, group string, log *slog.Logger) (*Client, error) {
	transport, err := conn.Transport(clientID)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn, group: group, client: conn.Client(transport), transport: transport, log: log}, nil
}

// Close closes the connections that no request uses.
func (k *Client) Close() { k.transport.CloseIdleConnections() }

// Bounds asks a partition's leader for the oldest offset on the topic and for the offset that the next record will get. The transport
// may send it to an old leader for up to a second after a change.
func (k *Client) Bounds(ctx context.Context, partition int) (first, end int64, err error) {
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
