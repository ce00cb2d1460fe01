package kafka

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"

	"sluice/internal/kafkaconn"
	"sluice/internal/together"
)

const (
	// sessionTimeout is how long the group waits for a consumer that died before others take its partitions.
	sessionTimeout   = 15 * time.Second
	rebalanceTimeout = 30 * time.Second
	requestTimeout   = 10 * time.Second
	// heartbeatTimeout bounds one heartbeat, so that a coordinator that hangs is asked again well within a session.
	heartbeatTimeout = 4 * time.Second

	clientID = "sluice-consumer"
)

// Timing is how often a client does what it does by itself.
type Timing struct {
	// Heartbeat is the time between two heartbeats. It must be well below the session, which is 15 s.
	Heartbeat time.Duration
	// Topic is the time between two looks at how many partitions the topic has. A look costs no request: the transport
	// reads metadata anyway.
	Topic time.Duration
}

// DefaultTiming is the timing of every client outside of tests.
func DefaultTiming() Timing { return Timing{Heartbeat: 3 * time.Second, Topic: 3 * time.Second} }

// Client is the consumer's side of Kafka: it joins the group, fetches, commits, and writes dead letters. It is safe for
// concurrent use.
type Client struct {
	conn      kafkaconn.Config
	group     string
	client    *kafka.Client
	transport *kafka.Transport
	timing    Timing
	log       *slog.Logger
	commits   atomic.Uint64
	fetches   sync.Pool // of *rawFetch: the partitions share their memory

	// What all partitions ask when a generation begins goes together.
	committed *together.Questions[int, committed]
	topicIDs  *together.Questions[struct{}, uuid.UUID]

	leaders leaders

	mu       sync.Mutex
	bounds   map[int]*together.Questions[int, bounds] // by leader, so that none of them waits for another one
	versions map[int]int                              // of each request, the highest that brokers know; nil: not asked yet
}

// New makes a client. It opens no connection.
func New(conn kafkaconn.Config, group string, timing Timing, log *slog.Logger) (*Client, error) {
	transport, err := conn.Transport(clientID)
	if err != nil {
		return nil, err
	}
	k := &Client{
		conn: conn, group: group, client: conn.Client(transport), transport: transport, timing: timing, log: log,
		bounds: map[int]*together.Questions[int, bounds]{},
	}
	k.committed = together.New(k.committedOfAll)
	k.leaders.read = func(ctx context.Context) ([]kafka.Partition, error) {
		return k.partitionsOf(ctx, []string{conn.Topic})
	}
	k.topicIDs = together.New(k.topicIDOfAll)
	return k, nil
}

// Close closes the connections that no request uses.
func (k *Client) Close() { k.transport.CloseIdleConnections() }
