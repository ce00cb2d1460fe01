package topics

import (
	"bytes"
	"context"
	"maps"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
)

const (
	week = 7 * 24 * time.Hour
	mib  = 1 << 20
)

// cluster is a broker, and what is asked of it.
type cluster struct {
	t    *testing.T
	conn kafkaconn.Config
	out  bytes.Buffer
	ask  *kafka.Client
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	c := &cluster{t: t, conn: kafkaconn.Config{Brokers: fake.ListenAddrs(), Topic: "events", DeadTopic: "events.dead"}}
	transport, err := c.conn.Transport("test")
	require.NoError(t, err)
	t.Cleanup(transport.CloseIdleConnections)
	c.ask = c.conn.Client(transport)
	return c
}

// layout is what a cluster of one broker can have; the rest is the default.
func layout() Config {
	return Config{Partitions: 12, Replication: 1, MinISR: 1, Retention: settings.Duration(week)}
}

// admin works with the layout, and forgets what was said before.
func (c *cluster) admin(cfg Config) *Admin {
	c.t.Helper()
	a, closeAdmin, err := New(c.conn, cfg, &c.out)
	require.NoError(c.t, err)
	c.t.Cleanup(closeAdmin)
	c.out.Reset()
	return a
}

func (c *cluster) apply(cfg Config) string {
	c.t.Helper()
	require.NoError(c.t, c.admin(cfg).Apply(c.t.Context()))
	return c.out.String()
}

func (c *cluster) check(cfg Config) (differences int, said string) {
	c.t.Helper()
	n, err := c.admin(cfg).Check(c.t.Context())
	require.NoError(c.t, err)
	return n, c.out.String()
}

// make makes a topic that is not as it should be.
func (c *cluster) make(name string, partitions int, configs map[string]string) {
	c.t.Helper()
	topic := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}
	for k, v := range configs {
		topic.ConfigEntries = append(topic.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
	}
	resp, err := c.ask.CreateTopics(c.t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	require.NoError(c.t, err)
	require.NoError(c.t, resp.Errors[name])
}

// partitions asks the broker itself: kafka-go's metadata is a copy that may be a second old.
func (c *cluster) partitions(topic string) int {
	c.t.Helper()
	conn, err := kafka.DialContext(c.t.Context(), "tcp", c.conn.Brokers[0])
	require.NoError(c.t, err)
	defer conn.Close()
	list, err := conn.ReadPartitions(topic)
	require.NoError(c.t, err)
	return len(list)
}

func (c *cluster) configs(topic string) map[string]string {
	c.t.Helper()
	resp, err := c.ask.DescribeConfigs(c.t.Context(), &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}},
	})
	require.NoError(c.t, err)
	out := map[string]string{}
	for _, e := range resp.Resources[0].ConfigEntries {
		out[e.ConfigName] = e.ConfigValue
	}
	return out
}

// set changes one setting of a topic behind Sluice's back.
func (c *cluster) set(topic, key, value string) {
	c.t.Helper()
	a := &Admin{client: c.ask}
	require.NoError(c.t, a.setConfig(c.t.Context(), topic, key, value))
}

// right is the contract's settings of both topics, but for max.message.bytes.
func right() map[string]string {
	return map[string]string{
		"cleanup.policy": "delete", "retention.ms": "604800000", "min.insync.replicas": "1",
		"message.timestamp.type": "LogAppendTime", "max.message.bytes": "2097152",
	}
}

// but is right with one setting changed.
func but(key, value string) map[string]string {
	out := maps.Clone(right())
	out[key] = value
	return out
}

// gone is a context that has ended.
func gone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
