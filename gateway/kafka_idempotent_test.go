package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/internal/event"
	"sluice/internal/kafkaconn"
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
	p := s.producer()
	resp, err := p.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: s.topic, NumPartitions: partitions, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "message.timestamp.type", ConfigValue: "LogAppendTime"}},
	}}})
	if err = errors.Join(err, func() error { return resp.Errors[s.topic] }()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := p.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{s.topic}}); err != nil {
			t.Error(err)
		}
		p.Close()
	})
	return s
}

// onBoth runs a test on both kinds of Kafka.
func onBoth(t *testing.T, partitions int, test func(t *testing.T, s *site)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, onFake(t, 1, partitions)) })
	t.Run("apache", func(t *testing.T) { test(t, onApache(t, partitions)) })
}

func (s *site) producer() *kafkaProducer {
	s.t.Helper()
	p, err := newKafkaProducer(kafkaconn.Config{Brokers: s.brokers, Topic: s.topic, DeadTopic: "dead"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(p.Close)
	return p
}

// publisher runs a publisher over p until the test ends.
func (s *site) publisher(t testing.TB, p Producer, compression string) *publisher {
	t.Helper()
	m, _ := newMetrics(func() float64 { return 0 })
	pub := newPublisher(p, 1<<28, m, slog.New(slog.DiscardHandler))
	if err := pub.compress(compression); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); pub.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return pub
}

// consumed is a record as franz-go's consumer got it.
type consumed struct {
	partition int32
	offset    int64
	record    Record
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
			c := consumed{partition: r.Partition, offset: r.Offset, record: Record{Key: r.Key, Value: r.Value}}
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
	p := s.producer()
	n, err := p.Partitions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var asked []kafka.OffsetRequest
	for i := range n {
		asked = append(asked, kafka.LastOffsetOf(i))
	}
	resp, err := p.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{s.topic: asked}})
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

// load publishes n requests of one to five events, several at a time, while during runs, and returns how often the topic
// holds each acknowledged event.
func (s *site) load(t testing.TB, pub *publisher, n int, during func()) (copies map[string]int) {
	t.Helper()
	var all sync.WaitGroup
	gate := make(chan struct{}, 16)
	acked := make([][]string, n)
	for i := range n {
		if i == n/3 && during != nil {
			during()
		}
		gate <- struct{}{}
		all.Go(func() {
			defer func() { <-gate }()
			run := make([]Record, 1+i%5)
			for j := range run {
				run[j] = Record{Value: fmt.Appendf(nil, `{"event":"%d-%d","text":"the same text again and again"}`, i, j)}
			}
			for j, err := range publish(pub, run, time.Now().Add(20*time.Second)) {
				if err != nil {
					t.Errorf("request %d: %v", i, err)
					continue
				}
				acked[i] = append(acked[i], string(run[j].Value))
			}
		})
	}
	all.Wait()
	copies = map[string]int{}
	for _, c := range s.records(t) {
		copies[string(c.record.Value)]++
	}
	for _, values := range acked {
		for _, v := range values {
			if copies[v] == 0 {
				t.Errorf("lost: %s", v)
			}
		}
	}
	return copies
}

// onceEach fails unless every event is on the topic once.
func onceEach(t testing.TB, copies map[string]int) {
	t.Helper()
	for v, n := range copies {
		if n != 1 {
			t.Errorf("%d copies of %s", n, v)
		}
	}
}

// TestLostAnswersAreStoredOnce: a batch that Kafka wrote, and said so in vain, is sent again and is not there twice.
func TestLostAnswersAreStoredOnce(t *testing.T) {
	for _, codec := range []string{"none", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			onBoth(t, 6, func(t *testing.T, s *site) {
				p := s.producer()
				network := &lossy{every: 3}
				network.through(p)
				copies := s.load(t, s.publisher(t, p, codec), 400, nil)
				onceEach(t, copies)
				if len(copies) != 400*3 {
					t.Errorf("%d events", len(copies))
				}
				if n := network.lost.Load(); n < 10 {
					t.Errorf("only %d answers were lost", n)
				}
			})
		})
	}
}

// TestLostAnswersWithoutIDs tests the test above: without producer ids the same must show copies.
func TestLostAnswersWithoutIDs(t *testing.T) {
	onBoth(t, 6, func(t *testing.T, s *site) {
		p := s.producer()
		network := &lossy{every: 3}
		network.through(p)
		twice := 0
		for _, n := range s.load(t, s.publisher(t, idless{p}, "none"), 400, nil) {
			if n > 1 {
				twice++
			}
		}
		if twice == 0 {
			t.Errorf("%d answers were lost and no event is there twice", network.lost.Load())
		}
	})
}

// idless is Kafka where nobody may have a producer id.
type idless struct{ *kafkaProducer }

func (idless) NewID(context.Context) (ProducerID, error) {
	return noProducer, fmt.Errorf("%w: %w", ErrAnswered, kafka.ClusterAuthorizationFailed)
}

// TestLeaderMoves: partitions change their leader under load. kafka-go would learn of it by its timer; here the timer is
// turned off, so that only the refresh after an error can be what helps.
func TestLeaderMoves(t *testing.T) {
	s := onFake(t, 3, 6)
	p := s.producer()
	p.transport.MetadataTTL = time.Hour
	var mu sync.Mutex
	refused := 0
	s.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		refused++
		return nil, nil, false
	})
	network := &lossy{every: 7}
	network.through(p)
	start := time.Now()
	copies := s.load(t, s.publisher(t, p, "lz4"), 600, func() {
		for i := range int32(6) {
			if err := s.cluster.MoveTopicPartition("events", i, (s.cluster.LeaderFor("events", i)+1)%3); err != nil {
				t.Error(err)
			}
		}
	})
	onceEach(t, copies)
	if len(copies) != 600*3 {
		t.Errorf("%d events", len(copies))
	}
	t.Logf("%s, %d produce requests", time.Since(start), refused)
}

// TestProducerIDRefused: whatever Kafka has against an id, the batch goes out under a new one, and is there once.
func TestProducerIDRefused(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.UnknownProducerID, kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.ProducerFenced, kerr.InvalidProducerIDMapping} {
		t.Run(code.Message, func(t *testing.T) {
			s := onFake(t, 1, 6)
			fault := s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: code, Count: 5})
			copies := s.load(t, s.publisher(t, s.producer(), "none"), 100, nil)
			onceEach(t, copies)
			if len(copies) != 300 || fault.Hits() != 5 {
				t.Errorf("%d events, %d faults", len(copies), fault.Hits())
			}
		})
	}
}

// TestWrittenAndRefused: the answers that a broker gives after it has written the batch.
func TestWrittenAndRefused(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend} {
		t.Run(code.Message, func(t *testing.T) {
			s := onFake(t, 1, 6)
			s.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: code, Count: 10})
			copies := s.load(t, s.publisher(t, s.producer(), "none"), 100, nil)
			onceEach(t, copies)
			if len(copies) != 300 {
				t.Errorf("%d events", len(copies))
			}
		})
	}
}

// TestCoordinatorIsLoading: a broker that has just started gives no ids for a moment.
func TestCoordinatorIsLoading(t *testing.T) {
	s := onFake(t, 1, 6)
	var n atomic.Int64
	s.cluster.ControlKey(int16(kmsg.InitProducerID), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		if n.Add(1) > 6 {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.InitProducerIDResponse) //nolint:forcetypeassert // the pair belongs together
		resp.ErrorCode = []int16{kerr.CoordinatorLoadInProgress.Code, kerr.CoordinatorNotAvailable.Code}[n.Load()%2]
		return resp, nil, true
	})
	pub := s.publisher(t, s.producer(), "none")
	onceEach(t, s.load(t, pub, 50, nil))
	if pub.withoutID.Load() {
		t.Error("gave up too soon")
	}
}

// TestBrokerRestarts: the broker goes and comes back at its address under load, with what it had written.
func TestBrokerRestarts(t *testing.T) {
	dir := t.TempDir()
	start := func(addr string) *kfake.Cluster {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir), kfake.SeedTopics(6, "events"),
			kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, addr) }))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	cluster := start("127.0.0.1:0")
	s := &site{t: t, brokers: cluster.ListenAddrs(), topic: "events"}
	p := s.producer()
	(&lossy{every: 5}).through(p)
	copies := s.load(t, s.publisher(t, p, "lz4"), 400, func() {
		cluster.Close()
		cluster = start(s.brokers[0])
	})
	t.Cleanup(func() { cluster.Close() })
	onceEach(t, copies)
	if len(copies) != 400*3 {
		t.Errorf("%d events", len(copies))
	}
}

// TestBatchesOnKafka: with every codec, Kafka takes our batches, and both clients read what went in.
func TestBatchesOnKafka(t *testing.T) {
	for _, codec := range codecs {
		t.Run(codec, func(t *testing.T) {
			onBoth(t, 1, func(t *testing.T, s *site) {
				p := s.producer()
				id, err := p.NewID(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				in := append(eventsLike(300), Record{Key: []byte("k"), Value: []byte{}}, Record{Key: []byte{}})
				e := encoderOf(t, codec)
				e.encode(chunksOf([][]Record{in}), time.Now())
				if err := produceSoon(t, p, e.seal(id, 0)); err != nil {
					t.Fatal(err)
				}
				var got []Record
				for _, c := range s.records(t) {
					got = append(got, c.record)
				}
				if !reflect.DeepEqual(flat(got), flat(in)) {
					t.Error("franz-go reads something else")
				}
				resp, err := p.client.Fetch(t.Context(), &kafka.FetchRequest{Topic: s.topic, MinBytes: 1, MaxBytes: 1 << 22, MaxWait: time.Second})
				if err != nil {
					t.Fatal(err)
				}
				got = nil
				for range in {
					r, err := resp.Records.ReadRecord()
					if err != nil {
						t.Fatal(err)
					}
					var out Record
					if r.Value != nil {
						out.Value, _ = kafka.ReadAll(r.Value)
					}
					if r.Key != nil {
						out.Key, _ = kafka.ReadAll(r.Key)
					}
					for _, h := range r.Headers {
						out.Headers = append(out.Headers, event.Header{Key: h.Key, Value: append([]byte{}, h.Value...)})
					}
					got = append(got, out)
				}
				if !reflect.DeepEqual(flat(got), flat(in)) {
					t.Error("kafka-go reads something else")
				}
			})
		})
	}
}

// produceSoon sends a batch to partition 0; a topic that was just made may have no leader yet.
func produceSoon(t testing.TB, p *kafkaProducer, batch []byte) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		err := p.Produce(ctx, 0, batch)
		if err == nil || !errors.Is(err, ErrNotWritten) && !staleLeader(err) || ctx.Err() != nil {
			return err
		}
	}
}

// TestBrokerKnowsACopy: what the design rests on, batch by batch.
func TestBrokerKnowsACopy(t *testing.T) {
	onBoth(t, 1, func(t *testing.T, s *site) {
		p := s.producer()
		id, err := p.NewID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		other, err := p.NewID(t.Context())
		if err != nil || other.ID == id.ID {
			t.Fatalf("ids %v and %v: %v", id, other, err)
		}
		e := encoderOf(t, "lz4")
		e.encode(chunksOf([][]Record{eventsLike(10)}), time.Now())
		for _, step := range []struct {
			what     string
			id       ProducerID
			sequence int32
			end      int64
			want     error
		}{
			{"first", id, 0, 10, nil},
			{"copy", id, 0, 10, nil},
			{"next", id, 10, 20, nil},
			{"copy of the next", id, 10, 20, nil},
			{"gap", id, 30, 20, ErrProducerID},
			{"after the gap", id, 20, 30, nil},
			{"another id", other, 0, 40, nil},
			{"copy of that", other, 0, 40, nil},
			{"older epoch", ProducerID{other.ID, other.Epoch + 1}, 0, 50, nil},
			{"and now the epoch before", other, 10, 50, ErrProducerID},
			{"no id", noProducer, -1, 60, nil},
			{"no id again", noProducer, -1, 70, nil},
		} {
			err := produceSoon(t, p, e.seal(step.id, step.sequence))
			if !errors.Is(err, step.want) {
				t.Fatalf("%s: %v, want %v", step.what, err, step.want)
			}
			if end := s.ends(t.Context(), t)[0]; end != step.end {
				t.Fatalf("%s: the topic ends at %d, want %d", step.what, end, step.end)
			}
		}
	})
}

// TestNewIDLeavesNoTrace: asking for an id must not make a cluster create its topic of transactions.
func TestNewIDLeavesNoTrace(t *testing.T) {
	s := onFake(t, 1, 1)
	var asked atomic.Int64
	s.cluster.ControlKey(int16(kmsg.FindCoordinator), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		asked.Add(1)
		return nil, nil, false
	})
	if _, err := s.producer().NewID(t.Context()); err != nil || asked.Load() != 0 {
		t.Errorf("%d questions for a coordinator, %v", asked.Load(), err)
	}
}
