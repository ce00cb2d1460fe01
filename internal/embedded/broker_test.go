//go:build linux || darwin

package embedded

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
)

const testTopic = "events"

// playBroker is a broker that a test kills.
func playBroker() error {
	b := NewBroker(BrokerConfig{Addr: os.Args[1], DataDir: os.Args[2]})
	go func() {
		<-b.Ready()
		fmt.Println(b.Addr())
	}()
	return b.Run(context.Background())
}

func client(t *testing.T, addr string) *kafka.Client {
	t.Helper()
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(addr), Timeout: time.Minute, Transport: transport}
}

func makeTopic(t *testing.T, c *kafka.Client, partitions int, config map[string]string) {
	t.Helper()
	entries := make([]kafka.ConfigEntry, 0, len(config))
	for k, v := range config {
		entries = append(entries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
	}
	res, err := c.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{
		{Topic: testTopic, NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: entries},
	}})
	require.NoError(t, err)
	require.NoError(t, res.Errors[testTopic])
}

func produce(t *testing.T, c *kafka.Client, partition int, values ...string) {
	t.Helper()
	records := make([]kafka.Record, 0, len(values))
	for _, v := range values {
		records = append(records, kafka.Record{
			Value: kafka.NewBytes([]byte(v)), Headers: []kafka.Header{{Key: "v", Value: []byte("1")}},
		})
	}
	res, err := c.Produce(t.Context(), &kafka.ProduceRequest{
		Topic: testTopic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	require.NoError(t, err)
	require.NoError(t, res.Error)
}

func consume(t *testing.T, addr string, partition, n int) (values []string) {
	t.Helper()
	conn, err := kafka.DialLeader(t.Context(), "tcp", addr, testTopic, partition)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	for range n {
		m, err := conn.ReadMessage(1 << 20)
		require.NoError(t, err)
		require.Equal(t, []kafka.Header{{Key: "v", Value: []byte("1")}}, m.Headers)
		values = append(values, string(m.Value))
	}
	return values
}

// joinAndCommit joins the group, stays a member, and commits an offset with metadata as the consumer does.
func joinAndCommit(t *testing.T, c *kafka.Client, addr string, offset int64, metadata string) *kafka.ConsumerGroup {
	t.Helper()
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: "sluice", Brokers: []string{addr}, Topics: []string{testTopic}, StartOffset: kafka.FirstOffset,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = group.Close() })
	generation, err := group.Next(t.Context())
	require.NoError(t, err)
	require.Len(t, generation.Assignments[testTopic], 2)
	res, err := c.OffsetCommit(t.Context(), &kafka.OffsetCommitRequest{
		GroupID: generation.GroupID, GenerationID: int(generation.ID), MemberID: generation.MemberID,
		Topics: map[string][]kafka.OffsetCommit{testTopic: {{Partition: 0, Offset: offset, Metadata: metadata}}},
	})
	require.NoError(t, err)
	require.NoError(t, res.Topics[testTopic][0].Error)
	return group
}

func committed(t *testing.T, c *kafka.Client) kafka.OffsetFetchPartition {
	t.Helper()
	res, err := c.OffsetFetch(t.Context(), &kafka.OffsetFetchRequest{
		GroupID: "sluice", Topics: map[string][]int{testTopic: {0}},
	})
	require.NoError(t, err)
	require.NoError(t, res.Error)
	return res.Topics[testTopic][0]
}

func TestBrokerKeepsAllAfterKill(t *testing.T) {
	dir := t.TempDir()
	first := play(t, "broker", "127.0.0.1:0", dir)
	addr := first.line(t)
	c := client(t, addr)
	makeTopic(t, c, 2, map[string]string{"retention.ms": "604800000", "max.message.bytes": "2097152"})
	produce(t, c, 0, "a", "b")
	produce(t, c, 1, "c")
	member := joinAndCommit(t, c, addr, 2, "sealed 0-2")
	first.kill(t)
	_ = member.Close() // the broker is dead, so the member cannot leave

	second := NewBroker(BrokerConfig{Addr: addr, DataDir: dir, Logger: testLog(t)})
	run := begin(t, second.Ready(), second.Run)
	c = client(t, second.Addr())
	require.Equal(t, []string{"a", "b"}, consume(t, addr, 0, 2))
	require.Equal(t, []string{"c"}, consume(t, addr, 1, 1))
	kept := committed(t, c)
	require.EqualValues(t, 2, kept.CommittedOffset)
	require.Equal(t, "sealed 0-2", kept.Metadata)
	require.Equal(t, "2097152", describe(t, c)["max.message.bytes"])
	// A member was in the group when the broker was killed. That member must not delay the next one.
	began := time.Now()
	group := joinAndCommit(t, c, addr, 1, "moved back")
	require.Less(t, time.Since(began), 20*time.Second, "the broker would expect the dead member for 30 s")
	require.NoError(t, group.Close())
	produce(t, c, 0, "d")
	require.NoError(t, run.end())

	third := NewBroker(BrokerConfig{Addr: addr, DataDir: dir, Logger: testLog(t), SyncWrites: true})
	begin(t, third.Ready(), third.Run)
	require.Equal(t, []string{"a", "b", "d"}, consume(t, addr, 0, 3))
	require.Equal(t, "moved back", committed(t, client(t, addr)).Metadata)
}

func describe(t *testing.T, c *kafka.Client) map[string]string {
	t.Helper()
	res, err := c.DescribeConfigs(t.Context(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: testTopic},
	}})
	require.NoError(t, err)
	require.NoError(t, res.Resources[0].Error)
	values := make(map[string]string)
	for _, e := range res.Resources[0].ConfigEntries {
		values[e.ConfigName] = e.ConfigValue
	}
	return values
}

func TestBrokerMakesNoTopicByItself(t *testing.T) {
	b := NewBroker(BrokerConfig{Addr: "127.0.0.1:0", DataDir: t.TempDir()})
	begin(t, b.Ready(), b.Run)
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{
		Addr: kafka.TCP(b.Addr()), Topic: "nobody-made-me", AllowAutoTopicCreation: true, MaxAttempts: 1,
		RequiredAcks: kafka.RequireAll, Transport: transport, BatchTimeout: time.Millisecond,
	}
	defer w.Close()
	require.ErrorIs(t, w.WriteMessages(t.Context(), kafka.Message{Value: []byte("lost")}), kafka.UnknownTopicOrPartition)
}

func TestBrokerRemovesExpiredRecordsAtStart(t *testing.T) {
	dir := t.TempDir()
	b := NewBroker(BrokerConfig{Addr: "127.0.0.1:0", DataDir: dir})
	run := begin(t, b.Ready(), b.Run)
	c := client(t, b.Addr())
	makeTopic(t, c, 2, map[string]string{"retention.ms": "1"})
	produce(t, c, 0, "old")
	eventually(t, "the clock stands still", func() func() bool {
		written := time.Now()
		return func() bool { return time.Since(written) > 2*time.Millisecond }
	}())
	require.NoError(t, run.end())

	b = NewBroker(BrokerConfig{Addr: "127.0.0.1:0", DataDir: dir})
	begin(t, b.Ready(), b.Run)
	conn, err := kafka.DialLeader(t.Context(), "tcp", b.Addr(), testTopic, 0)
	require.NoError(t, err)
	defer conn.Close()
	first, err := conn.ReadFirstOffset()
	require.NoError(t, err)
	require.EqualValues(t, 1, first)
}

func TestBrokerSaysWhoHasItsAddressOrData(t *testing.T) {
	dir := t.TempDir()
	b := NewBroker(BrokerConfig{Addr: "127.0.0.1:0", DataDir: dir})
	begin(t, b.Ready(), b.Run)

	other := NewBroker(BrokerConfig{Addr: b.Addr(), DataDir: t.TempDir()})
	require.ErrorContains(t, other.Run(briefly(t)), "cannot listen on "+b.Addr())

	other = NewBroker(BrokerConfig{Addr: "127.0.0.1:0", DataDir: dir})
	other.patience = time.Millisecond
	require.ErrorContains(t, other.Run(briefly(t)), "in use by process "+strconv.Itoa(os.Getpid()))

	for _, addr := range []string{":9092", "0.0.0.0:9092", "[::]:9092"} {
		other = NewBroker(BrokerConfig{Addr: addr, DataDir: t.TempDir()})
		require.ErrorContains(t, other.Run(briefly(t)), "set the host")
	}
}

func TestBrokerAddrIsWhereItListens(t *testing.T) {
	b := NewBroker(BrokerConfig{Addr: "localhost:0", DataDir: t.TempDir()})
	require.Empty(t, b.Addr())
	begin(t, b.Ready(), b.Run)
	conn, err := net.Dial("tcp", b.Addr())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}
