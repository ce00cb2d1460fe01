package gateway

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

// kafkaSetting names an Apache Kafka, host:port, for the tests that need one; `make kafka-up` starts one.
const kafkaSetting = "SLUICE_TEST_KAFKA"

// site is a Kafka with a topic of the test's own.
type site struct {
	t       testing.TB
	brokers []string
	topic   string
	cluster *kfake.Cluster // nil on Apache Kafka

	compacted atomic.Bool // what the embedded broker is made to refuse, as Apache Kafka does
}

// onFake makes a site in this process.
func onFake(t testing.TB, brokers, partitions int, opts ...kfake.Opt) *site {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(brokers), kfake.SeedTopics(int32(partitions), "events")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return &site{t: t, brokers: cluster.ListenAddrs(), topic: "events", cluster: cluster}
}

// onApache makes a site on the Apache Kafka that the setting names.
func onApache(t testing.TB, partitions int) *site {
	t.Helper()
	addr := os.Getenv(kafkaSetting)
	if addr == "" {
		t.Skipf("set %s=host:port to run this on Apache Kafka", kafkaSetting)
	}
	s := &site{t: t, brokers: []string{addr}, topic: fmt.Sprintf("gateway-test-%d", rand.Uint64())}
	client := s.client()
	resp, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: s.topic, NumPartitions: partitions, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "message.timestamp.type", ConfigValue: "LogAppendTime"}},
	}}})
	if err = errors.Join(err, func() error { return resp.Errors[s.topic] }()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{s.topic}}); err != nil {
			t.Error(err)
		}
	})
	return s
}

// onBoth runs a test on both kinds of Kafka.
func onBoth(t *testing.T, partitions int, test func(t *testing.T, s *site)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, onFake(t, 1, partitions)) })
	t.Run("apache", func(t *testing.T) { test(t, onApache(t, partitions)) })
}

// config is how to reach the site.
func (s *site) config() kafkaconn.Config {
	return kafkaconn.Config{Brokers: s.brokers, Topic: s.topic, DeadTopic: "dead"}
}

// client is a client of kafka-go's, until the test ends.
func (s *site) client() *kafka.Client {
	transport := &kafka.Transport{}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(s.brokers...), Transport: transport}
}

// consumed is a record as franz-go's consumer got it.
type consumed struct {
	partition int32
	offset    int64
	record    batchtest.Record
}

// records reads the whole topic.
func (s *site) records(t testing.TB) []consumed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ends := s.ends(ctx, t)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.brokers...), kgo.ConsumeTopics(s.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	total := 0
	for _, end := range ends {
		total += int(end)
	}
	var out []consumed
	for len(out) < total {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(fetches.Err(), ctx.Err()); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			c := consumed{partition: r.Partition, offset: r.Offset, record: batchtest.Record{Key: r.Key, Value: r.Value}}
			for _, h := range r.Headers {
				c.record.Headers = append(c.record.Headers, event.Header{Key: h.Key, Value: h.Value})
			}
			out = append(out, c)
		})
	}
	return out
}

// ends lists the offset after the last record of each partition.
func (s *site) ends(ctx context.Context, t testing.TB) map[int]int64 {
	t.Helper()
	client := s.client()
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{s.topic}})
	if err != nil {
		t.Fatal(err)
	}
	var asked []kafka.OffsetRequest
	for i := range meta.Topics[0].Partitions {
		asked = append(asked, kafka.LastOffsetOf(i))
	}
	resp, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{s.topic: asked}})
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]int64{}
	for _, o := range resp.Topics[s.topic] {
		if o.Error != nil {
			t.Fatal(o.Error)
		}
		out[o.Partition] = o.LastOffset
	}
	return out
}

// configure changes a setting of the site's topic, and waits until it is in force: Apache Kafka answers before that.
func (s *site) configure(name, value string) {
	s.t.Helper()
	client := s.client()
	resp, err := client.IncrementalAlterConfigs(s.t.Context(), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: s.topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet}},
		}},
	})
	if err == nil {
		err = resp.Resources[0].Error
	}
	require.NoError(s.t, err)
	require.Eventually(s.t, func() bool {
		is, err := client.DescribeConfigs(s.t.Context(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
			{ResourceType: kafka.ResourceTypeTopic, ResourceName: s.topic, ConfigNames: []string{name}},
		}})
		return err == nil && len(is.Resources) == 1 && slices.ContainsFunc(is.Resources[0].ConfigEntries, func(e kafka.DescribeConfigResponseConfigEntry) bool {
			return e.ConfigName == name && e.ConfigValue == value
		})
	}, 20*time.Second, 2*time.Millisecond, "%s is not in force", name)
	if s.cluster == nil || name != "cleanup.policy" {
		return
	}
	// The embedded broker takes records without a key on a compacted topic. Apache Kafka does not.
	s.compacted.Store(strings.Contains(value, "compact"))
	s.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if !s.compacted.Load() {
			return nil, nil, false
		}
		s.cluster.KeepControl()
		return answeringWith(r, kerr.InvalidRecord), nil, true
	})
}

func answeringWith(r kmsg.Request, code *kerr.Error) kmsg.Response {
	req := r.(*kmsg.ProduceRequest)                    //nolint:forcetypeassert // ControlKey promises it
	resp := req.ResponseKind().(*kmsg.ProduceResponse) //nolint:forcetypeassert // the pair belongs together
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
	part := kmsg.NewProduceResponseTopicPartition()
	part.Partition, part.ErrorCode = req.Topics[0].Partitions[0].Partition, code.Code
	topic.Partitions = append(topic.Partitions, part)
	resp.Topics = append(resp.Topics, topic)
	return resp
}

func (s *site) values(t *testing.T) (out []string) {
	t.Helper()
	for _, c := range s.records(t) {
		if v := string(c.record.Value); !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// refuseDescribe makes the embedded broker give nobody the right to read the topic's settings.
func (s *site) refuseDescribe() {
	s.cluster.ControlKey(int16(kmsg.DescribeConfigs), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		req := r.(*kmsg.DescribeConfigsRequest)                    //nolint:forcetypeassert // ControlKey promises it
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse) //nolint:forcetypeassert // the pair belongs together
		res := kmsg.NewDescribeConfigsResponseResource()
		res.ErrorCode, res.ResourceType, res.ResourceName = kerr.TopicAuthorizationFailed.Code, kmsg.ConfigResourceTypeTopic, s.topic
		resp.Resources = append(resp.Resources, res)
		return resp, nil, true
	})
}

// refuseProduce makes the embedded broker answer every produce request with a code.
func (s *site) refuseProduce(code *kerr.Error) {
	s.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		return answeringWith(r, code), nil, true
	})
}
