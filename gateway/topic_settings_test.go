package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/kafkaconn"
)

// kafkaDefault is Kafka's own default of max.message.bytes.
const kafkaDefault = 1048588

// configure changes a setting of the site's topic, and waits until it is in force: Apache Kafka answers before that.
func (s *site) configure(name, value string) {
	s.t.Helper()
	client := s.producer().client
	resp, err := client.IncrementalAlterConfigs(s.t.Context(), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: s.topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet}},
		}},
	})
	if err == nil {
		err = resp.Resources[0].Error
	}
	must(s.t.(*testing.T), err)
	waitUntil(s.t, func() bool {
		is, err := client.DescribeConfigs(s.t.Context(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
			{ResourceType: kafka.ResourceTypeTopic, ResourceName: s.topic, ConfigNames: []string{name}},
		}})
		must(s.t.(*testing.T), err)
		return len(is.Resources) == 1 && slices.ContainsFunc(is.Resources[0].ConfigEntries, func(e kafka.DescribeConfigResponseConfigEntry) bool {
			return e.ConfigName == name && e.ConfigValue == value
		})
	})
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

// undescribed is a Kafka that does not let the gateway read the topic's settings.
type undescribed struct{ Producer }

// gate is a way to Kafka that can be shut.
type gate struct {
	*kafkaProducer
	shut atomic.Bool
}

func (g *gate) Produce(ctx context.Context, partition int, batch []byte) error {
	if g.shut.Load() {
		return errDown
	}
	return g.kafkaProducer.Produce(ctx, partition, batch)
}

// noise is text that no codec makes smaller.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return base64.StdEncoding.EncodeToString(b)[:n]
}

func noisy(size int) string { return fmt.Sprintf(`{"message":%q}`, noise(size-len(`{"message":""}`))) }

// A topic with Kafka's default takes less than a batch of ours: what fits in a batch is kept all the same, and what fits in none
// is said to be too large, for good.
func TestTopicTakesLess(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, s *site) {
		s.configure("max.message.bytes", fmt.Sprint(kafkaDefault))
		for name, p := range map[string]Producer{"described": s.producer(), "undescribed": undescribed{s.producer()}} {
			t.Run(name, func(t *testing.T) {
				g := serve(t, func(_ *Config, d *Deps) { d.Producer = p })
				bulk := events(1500, func(int) string { return noisy(1200) })
				if got := g.bulkOf(bulk); got.status != http.StatusAccepted || got.body.Accepted != 1500 || len(got.body.Retry) > 0 {
					t.Errorf("bulk of 1,500: %d, %d accepted, %d rejected: %.200s", got.status, got.body.Accepted, got.body.Rejected, got.text)
				}
				large := noisy(1_048_428)
				if got := g.single(large); got.status != http.StatusRequestEntityTooLarge || got.body.Code != "too_large" || *got.body.Retryable || got.body.Limit != limitTopicBatch {
					t.Errorf("a single event: %d %s", got.status, got.text)
				}
				got := g.bulkOf("[" + noisy(500) + "," + large + "," + noisy(500) + "]")
				if got.status != http.StatusAccepted || got.body.Accepted != 2 || len(got.body.Retry) > 0 || len(got.body.Errors) != 1 || got.body.Errors[0].Code != "too_large" || *got.body.Errors[0].Index != 1 {
					t.Errorf("in a bulk: %d %s", got.status, got.text)
				}
				if got := g.single(`{"message":"` + strings.Repeat("x", 1_048_000) + `"}`); got.status != http.StatusAccepted {
					t.Errorf("compressed it fits: %d %s", got.status, got.text)
				}
			})
		}
	})
}

// The largest batch that the topic takes, and one byte more or less.
func TestTopicLimitToTheByte(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, s *site) {
		value := func(n int) Record { return Record{Value: []byte(strings.Repeat("x", n))} }
		limit := len(batchOf(t, value(200_000)))
		s.configure("max.message.bytes", fmt.Sprint(limit))
		for name, p := range map[string]Producer{"described": s.producer(), "undescribed": undescribed{s.producer()}} {
			pub := s.publisher(t, p, "none")
			for more, want := range map[int]error{-1: nil, 0: nil, 1: ErrTooLarge} {
				if err := publish(pub, []Record{value(200_000 + more)}, soon())[0]; !errors.Is(err, want) {
					t.Errorf("%s, %+d bytes: %v", name, more, err)
				}
			}
			many := make([]Record, 30)
			for i := range many {
				many[i] = value(66_000 + i)
			}
			many[7], many[8] = value(200_001), value(300_000)
			for i, err := range publish(pub, many, soon()) {
				if large := i == 7 || i == 8; errors.Is(err, ErrTooLarge) != large || !large && err != nil {
					t.Errorf("%s, record %d: %v", name, i, err)
				}
			}
		}
	})
}

// spoolingGate is a gateway with a spool and a way to Kafka that is shut.
func spoolingGate(t *testing.T, s *site, log slog.Handler, hide bool) (g *served, way *gate, metric func(string) float64, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "spool")
	spool, metric := withSpool(t, dir)
	way = &gate{kafkaProducer: s.producer()}
	way.shut.Store(true)
	g = serve(t, spool, func(_ *Config, d *Deps) {
		d.Log = slog.New(log)
		if d.Producer = way; hide {
			d.Producer = undescribed{way}
		}
	})
	return g, way, metric, dir
}

func (g *served) keeps(bodies ...string) {
	g.t.Helper()
	for _, body := range bodies {
		if got := g.single(body); got.status != http.StatusAccepted {
			g.t.Fatalf("%.100s: %d %s", body, got.status, got.text)
		}
	}
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

// A refusal by the whole topic is an outage: the spool waits, says so, and goes on when the topic is mended.
func TestTopicRefusesAll(t *testing.T) {
	for _, setting := range [][3]string{{"cleanup.policy", "compact", "delete"}, {"max.message.bytes", "70", fmt.Sprint(kafkaDefault)}} {
		t.Run(setting[0], func(t *testing.T) {
			onBoth(t, 3, func(t *testing.T, s *site) {
				said := &counter{}
				g, way, metric, dir := spoolingGate(t, s, said, true)
				var want []string
				for i := range 20 {
					want = append(want, fmt.Sprintf(`{"message":"%d"}`, i))
				}
				g.keeps(want...)
				s.configure(setting[0], setting[1])
				way.shut.Store(false)
				waitUntil(t, func() bool {
					return said.of("kafka refuses all that waits in the spool; it stays there and is tried again; see what gateway check says of the topic") == 1
				})
				if n, aside := metric("spool_events"), names(t, dir, refusedSuffix); n != 20 || metric("spool_bytes") == 0 || len(aside) > 0 {
					t.Errorf("%v events in the spool, kept aside: %v", n, aside)
				}
				waitUntil(t, func() bool { return g.publisher.outage.away(time.Now()) })
				if r := g.publisher.outage.reason(); r != reasonRefused {
					t.Errorf("reason %s", r)
				}
				if setting[0] == "cleanup.policy" {
					want = append(want, `{"message":"live"}`)
					g.keeps(want[20]) // by the spool
				}
				s.configure(setting[0], setting[2])
				waitUntil(t, func() bool { return metric("spool_events") == 0 })
				got := s.values(t)
				slices.Sort(got)
				if slices.Sort(want); !slices.Equal(got, want) {
					t.Errorf("came: %q", got)
				}
				waitUntil(t, func() bool { return said.of("spool is empty") == 1 })
				if said.of("kafka refuses what waited in the spool; it is kept and tried again") > 0 {
					t.Errorf("said: %v", said.n)
				}
			})
		})
	}
}

// What Kafka refuses while it takes the rest stays in the figures, and goes when the topic takes it.
func TestTopicRefusesOne(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, s *site) {
		s.configure("max.message.bytes", fmt.Sprint(kafkaDefault))
		said := &counter{}
		g, way, metric, dir := spoolingGate(t, s, said, true) // nobody knows yet that the topic will not take it
		large := noisy(1_048_428)
		g.keeps(`{"message":"before"}`, large, `{"message":"after"}`)
		way.shut.Store(false)
		waitUntil(t, func() bool { return metric("spool_events") == 1 && metric("spool_refused_events") == 1 })
		waitUntil(t, func() bool { return said.of("spool is sent, but for what kafka refuses") == 1 })
		if n := metric("spool_bytes"); n < 1_048_428 || len(names(t, dir, refusedSuffix)) != 1 || said.of("spool is empty") > 0 {
			t.Errorf("%v bytes, %v, said %v", n, names(t, dir, refusedSuffix), said.n)
		}
		if n := len(s.values(t)); n != 2 {
			t.Errorf("%d came", n)
		}
		g.publisher.detour.replay.mended <- struct{}{} // not mended yet
		waitUntil(t, func() bool { return len(g.publisher.detour.replay.mended) == 0 })
		s.configure("max.message.bytes", "2097152")
		g.publisher.detour.replay.mended <- struct{}{}
		waitUntil(t, func() bool { return metric("spool_events") == 0 })
		if got := s.values(t); !slices.Contains(got, large) || len(names(t, dir, refusedSuffix)) != 0 {
			t.Error("it did not come, or is still kept")
		}
	})
}

// While the topic's settings are known, an event that it can never take is not answered 202.
func TestTooLargeForTheTopicIsNotSpooled(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, s *site) {
		s.configure("max.message.bytes", fmt.Sprint(kafkaDefault))
		g, _, metric, _ := spoolingGate(t, s, slog.DiscardHandler, false)
		waitUntil(t, func() bool { return g.publisher.memory.batch.limit() == kafkaDefault })
		if got := g.single(noisy(1_048_428)); got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d %s", got.status, got.text)
		}
		g.keeps(`{"message":"`+strings.Repeat("x", 1_048_000)+`"}`, noisy(1_040_000))
		if n := metric("spool_events"); n != 2 {
			t.Errorf("%v events in the spool", n)
		}
	})
}

// What is wrong with the topic is said at the start, by gateway check, and when it changes.
func TestTopicFaultsAreSaid(t *testing.T) {
	onBoth(t, 3, func(t *testing.T, s *site) {
		check := func() (string, error) {
			cfg := Config{
				HTTPAddr: "127.0.0.1:0", RequestTimeout: time.Second, HTTPIdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, MaxEventBytes: 1 << 20,
				MaxBulkBytes: 5 << 20, MaxInflightBytes: 64 << 20, KafkaCompression: "none",
			}
			notes, err := CheckTopic(t.Context(), cfg, kafkaconn.Config{Brokers: s.brokers, Topic: s.topic, DeadTopic: "dead"})
			return strings.Join(notes, "\n"), err
		}
		s.configure("max.message.bytes", fmt.Sprint(1<<20+recordOverhead))
		s.configure("message.timestamp.type", "LogAppendTime")
		if notes, err := check(); notes != "" || err != nil {
			t.Errorf("a good topic: %q %v", notes, err)
		}
		s.configure("max.message.bytes", fmt.Sprint(1<<20+recordOverhead-1))
		s.configure("cleanup.policy", "compact")
		s.configure("min.insync.replicas", "2")
		s.configure("message.timestamp.type", "CreateTime")
		notes, err := check()
		for _, want := range []string{"cleanup.policy", "max.message.bytes", "min.insync.replicas", "--max-event-bytes"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s is not said: %v", want, err)
			}
		}
		if !strings.Contains(notes, "message.timestamp.type") {
			t.Errorf("notes: %q", notes)
		}
		said := &counter{}
		g := serve(t, func(_ *Config, d *Deps) { d.Producer, d.Log = s.producer(), slog.New(said) })
		waitUntil(t, func() bool { return said.of("topic does not take what the gateway accepts") == 3 })
		if g.publisher.memory.batch.bytes() != 1<<20+recordOverhead-1-batchHeader {
			t.Errorf("batches of %d bytes", g.publisher.memory.batch.bytes())
		}
	})
}

// Kafka away, or no right to ask: the check says so and is no failure.
func TestTopicNotChecked(t *testing.T) {
	s := onFake(t, 1, 1)
	s.cluster.ControlKey(int16(kmsg.DescribeConfigs), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		req := r.(*kmsg.DescribeConfigsRequest)                    //nolint:forcetypeassert // ControlKey promises it
		resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse) //nolint:forcetypeassert // the pair belongs together
		res := kmsg.NewDescribeConfigsResponseResource()
		res.ErrorCode, res.ResourceType, res.ResourceName = kerr.TopicAuthorizationFailed.Code, kmsg.ConfigResourceTypeTopic, s.topic
		resp.Resources = append(resp.Resources, res)
		return resp, nil, true
	})
	_, err := s.producer().Describe(t.Context())
	if !errors.Is(err, ErrAnswered) {
		t.Errorf("got %v", err)
	}
	pub := s.publisher(t, s.producer(), "none")
	if err := publish(pub, records(1, 10), soon())[0]; err != nil {
		t.Errorf("without the right to describe: %v", err)
	}
	cfg := Config{
		HTTPAddr: "127.0.0.1:0", RequestTimeout: time.Second, HTTPIdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, MaxEventBytes: 1 << 20,
		MaxBulkBytes: 5 << 20, MaxInflightBytes: 64 << 20, KafkaCompression: "none",
	}
	for name, brokers := range map[string][]string{"no right": s.brokers, "nobody there": {"127.0.0.1:1"}} {
		notes, err := CheckTopic(t.Context(), cfg, kafkaconn.Config{Brokers: brokers, Topic: s.topic, DeadTopic: "dead"})
		if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "was not checked") {
			t.Errorf("%s: %q %v", name, notes, err)
		}
	}
}
