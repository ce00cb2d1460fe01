package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/event"
	"sluice/internal/kafkaconn"
	"sluice/internal/recordbatch/batchtest"
)

// Setting names the environment variable with the host:port of an Apache Kafka, for the tests that need one. `make
// kafka-up` starts one.
const Setting = "SLUICE_TEST_KAFKA"

// Site is a Kafka with a topic of the test's own.
type Site struct {
	T       testing.TB
	Brokers []string // host:port
	Topic   string
	Cluster *kfake.Cluster // nil on Apache Kafka

	compacted atomic.Bool // the embedded broker refuses records without a key, as Apache Kafka does
}

// OnFake makes a site in this process, until the test ends.
func OnFake(t testing.TB, brokers, partitions int, opts ...kfake.Opt) *Site {
	t.Helper()
	opts = append([]kfake.Opt{kfake.NumBrokers(brokers), kfake.SeedTopics(int32(partitions), "events")}, opts...)
	cluster, err := kfake.NewCluster(opts...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return &Site{T: t, Brokers: cluster.ListenAddrs(), Topic: "events", Cluster: cluster}
}

// onApache makes a site on the Apache Kafka that Setting names. Without one it skips the test.
func onApache(t testing.TB, partitions int) *Site {
	t.Helper()
	addr := os.Getenv(Setting)
	if addr == "" {
		t.Skipf("set %s=host:port to run this on Apache Kafka", Setting)
	}
	s := &Site{T: t, Brokers: strings.Split(addr, ","), Topic: fmt.Sprintf("gateway-test-%d", rand.Uint64())}
	client := s.client()
	resp, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: s.Topic, NumPartitions: partitions, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "message.timestamp.type", ConfigValue: "LogAppendTime"}},
	}}})
	require.NoError(t, err)
	require.NoError(t, resp.Errors[s.Topic])
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{s.Topic}}); err != nil {
			t.Error(err)
		}
	})
	return s
}

// OnThree makes a site of three brokers, until the test ends: on the Apache Kafka that Setting names if that names three
// addresses, else in this process.
func OnThree(t testing.TB, partitions int) *Site {
	t.Helper()
	addrs := strings.Split(os.Getenv(Setting), ",")
	if len(addrs) != 3 {
		s := OnFake(t, 3, partitions)
		for i := range int32(partitions) {
			require.NoError(t, s.Cluster.MoveTopicPartition(s.Topic, i, i%3))
		}
		return s
	}
	return onApache(t, partitions)
}

// OnBoth runs a test on both kinds of Kafka.
func OnBoth(t *testing.T, partitions int, test func(t *testing.T, s *Site)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, OnFake(t, 1, partitions)) })
	t.Run("apache", func(t *testing.T) { test(t, onApache(t, partitions)) })
}

// Config returns how to reach the site.
func (s *Site) Config() kafkaconn.Config {
	return kafkaconn.Config{Brokers: s.Brokers, Topic: s.Topic, DeadTopic: "dead"}
}

// client returns a client of kafka-go's, until the test ends.
func (s *Site) client() *kafka.Client {
	transport := &kafka.Transport{}
	s.T.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(s.Brokers...), Transport: transport}
}

// Records reads the whole topic with franz-go's consumer.
func (s *Site) Records(t testing.TB) []batchtest.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ends := s.Ends(ctx, t)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.ConsumeTopics(s.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	require.NoError(t, err)
	defer client.Close()
	total := 0
	for _, end := range ends {
		total += int(end)
	}
	var out []batchtest.Record
	for len(out) < total {
		fetches := client.PollFetches(ctx)
		require.NoError(t, errors.Join(fetches.Err(), ctx.Err()))
		fetches.EachRecord(func(r *kgo.Record) {
			read := batchtest.Record{Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				read.Headers = append(read.Headers, event.Header{Key: h.Key, Value: h.Value})
			}
			out = append(out, read)
		})
	}
	return out
}

// Ends returns the offset after the last record of each partition.
func (s *Site) Ends(ctx context.Context, t testing.TB) map[int]int64 {
	t.Helper()
	client := s.client()
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{s.Topic}})
	require.NoError(t, err)
	var asked []kafka.OffsetRequest
	for i := range meta.Topics[0].Partitions {
		asked = append(asked, kafka.LastOffsetOf(i))
	}
	all := map[string][]kafka.OffsetRequest{s.Topic: asked}
	resp, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: all})
	require.NoError(t, err)
	out := map[int]int64{}
	for _, o := range resp.Topics[s.Topic] {
		require.NoError(t, o.Error)
		out[o.Partition] = o.LastOffset
	}
	return out
}

// Configure changes a setting of the topic, and waits until it is in force: Apache Kafka answers before that.
func (s *Site) Configure(name, value string) {
	s.T.Helper()
	client := s.client()
	resp, err := client.IncrementalAlterConfigs(s.T.Context(), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: s.Topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{
				{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet},
			},
		}},
	})
	if err == nil {
		err = resp.Resources[0].Error
	}
	require.NoError(s.T, err)
	read := &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
		{ResourceType: kafka.ResourceTypeTopic, ResourceName: s.Topic, ConfigNames: []string{name}},
	}}
	require.Eventually(s.T, func() bool {
		is, err := client.DescribeConfigs(s.T.Context(), read)
		if err != nil || len(is.Resources) != 1 {
			return false
		}
		return slices.ContainsFunc(is.Resources[0].ConfigEntries, func(e kafka.DescribeConfigResponseConfigEntry) bool {
			return e.ConfigName == name && e.ConfigValue == value
		})
	}, time.Minute, 2*time.Millisecond, "%s is not in force", name)
	if s.Cluster == nil || name != "cleanup.policy" {
		return
	}
	// The embedded broker takes records without a key on a compacted topic. Apache Kafka does not.
	s.compacted.Store(strings.Contains(value, "compact"))
	s.Cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if !s.compacted.Load() {
			return nil, nil, false
		}
		s.Cluster.KeepControl()
		return answeringWith(r, kerr.InvalidRecord), nil, true
	})
}

// answeringWith is the answer of code to a produce request.
func answeringWith(r kmsg.Request, code *kerr.Error) kmsg.Response {
	req := r.(*kmsg.ProduceRequest)
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
	part := kmsg.NewProduceResponseTopicPartition()
	part.Partition, part.ErrorCode = req.Topics[0].Partitions[0].Partition, code.Code
	topic.Partitions = append(topic.Partitions, part)
	resp.Topics = append(resp.Topics, topic)
	return resp
}

// Values returns the values of the topic's records, each once.
func (s *Site) Values(t testing.TB) (out []string) {
	t.Helper()
	for _, c := range s.Records(t) {
		if v := string(c.Value); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// RefuseDescribe makes the embedded broker refuse to show the topic's settings.
func (s *Site) RefuseDescribe() {
	s.Cluster.ControlKey(int16(kmsg.DescribeConfigs), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.Cluster.KeepControl()
		req := r.(*kmsg.DescribeConfigsRequest)
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
		res := kmsg.NewDescribeConfigsResponseResource()
		res.ErrorCode = kerr.TopicAuthorizationFailed.Code
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, s.Topic
		resp.Resources = append(resp.Resources, res)
		return resp, nil, true
	})
}

// RefuseProduce makes the embedded broker answer every produce request with a code.
func (s *Site) RefuseProduce(code *kerr.Error) {
	s.Cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.Cluster.KeepControl()
		return answeringWith(r, code), nil, true
	})
}
