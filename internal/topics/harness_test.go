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

// cluster is one broker, with an Admin's output.
type cluster struct {
	t    *testing.T
	conn kafkaconn.Config
	out  bytes.Buffer
	ask  *kafka.Client
}

func newCluster(t *testing.T, opts ...kfake.Opt) *cluster {
	t.Helper()
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	c := &cluster{t: t, conn: kafkaconn.Config{Brokers: fake.ListenAddrs(), Topic: "events", DeadTopic: "events.dead"}}
	transport, err := c.conn.Transport("test")
	require.NoError(t, err)
	t.Cleanup(transport.CloseIdleConnections)
	c.ask = c.conn.Client(transport)
	return c
}

// layout is a Config that one broker can satisfy; the rest is the default.
func layout() Config {
	return Config{Partitions: 12, Replication: 1, MinISR: 1, Retention: settings.Duration(week)}
}

// single names the flags that a cluster of one broker needs.
var single = []string{"replication", "min-isr"}

// admin returns an Admin with the flags for one broker, and clears the output.
func (c *cluster) admin(cfg Config) *Admin { return c.adminWith(cfg, Change{}, single...) }

// adminWith is admin with other flags.
func (c *cluster) adminWith(cfg Config, change Change, flags ...string) *Admin {
	c.t.Helper()
	a, closeAdmin, err := NewGiven(c.conn, cfg, change, append([]string{}, flags...), &c.out)
	require.NoError(c.t, err)
	c.t.Cleanup(closeAdmin)
	c.out.Reset()
	return a
}

func (c *cluster) apply(cfg Config) string { return c.applyWith(cfg, Change{}, single...) }

func (c *cluster) applyWith(cfg Config, change Change, flags ...string) string {
	c.t.Helper()
	require.NoError(c.t, c.adminWith(cfg, change, flags...).Apply(c.t.Context()))
	return c.out.String()
}

// refuses calls Apply and expects a refusal that leaves the events topic unchanged. It returns the error and the
// output.
func (c *cluster) refuses(cfg Config, change Change, flags ...string) (said string) {
	c.t.Helper()
	before := c.configs("events")
	err := c.adminWith(cfg, change, flags...).Apply(c.t.Context())
	require.ErrorContains(c.t, err, "nothing was changed")
	require.Equal(c.t, before, c.configs("events"))
	return err.Error()
}

func (c *cluster) check(cfg Config) (differences int, said string) {
	return c.checkWith(cfg, single...)
}

func (c *cluster) checkWith(cfg Config, flags ...string) (differences int, said string) {
	c.t.Helper()
	n, err := c.adminWith(cfg, Change{}, flags...).Check(c.t.Context())
	require.NoError(c.t, err)
	return n, c.out.String()
}

// produce writes n records of one size to partition 0 of a topic.
func (c *cluster) produce(topic string, n, size int) { c.produceAt(topic, n, size, time.Now()) }

// produceAt is produce with the time of the records.
func (c *cluster) produceAt(topic string, n, size int, at time.Time) {
	c.t.Helper()
	records := make([]kafka.Record, n)
	for i := range records {
		records[i] = kafka.Record{Time: at, Value: kafka.NewBytes(bytes.Repeat([]byte("x"), size))}
	}
	_, err := c.ask.Produce(c.t.Context(), &kafka.ProduceRequest{
		Topic: topic, Partition: 0, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	require.NoError(c.t, err)
}

// make creates a topic with faults.
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

// partitions asks the broker. kafka-go's metadata may be a second old.
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

// set changes one setting of a topic without Sluice.
func (c *cluster) set(topic, key, value string) {
	c.t.Helper()
	a := &Admin{client: c.ask}
	require.NoError(c.t, a.setConfig(c.t.Context(), topic, key, value))
}

// right returns the correct settings of both topics, without max.message.bytes.
func right() map[string]string {
	return map[string]string{
		"cleanup.policy": "delete", "retention.ms": "604800000", "min.insync.replicas": "1",
		"message.timestamp.type": "LogAppendTime", "max.message.bytes": "2097152",
	}
}

// but returns right with one setting changed.
func but(key, value string) map[string]string {
	out := maps.Clone(right())
	out[key] = value
	return out
}

// gone returns a context that has ended.
func gone() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
