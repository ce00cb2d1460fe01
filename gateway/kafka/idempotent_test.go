package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/gateway/broker"
	"sluice/gateway/kafka/kafkatest"
	"sluice/gateway/publish"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
	"sluice/internal/recordbatch/batchtest"
	"sluice/internal/testlog"
)

// publishMany publishes n requests of one to five events, several at a time, and calls during after a third of them. It
// returns how often the topic holds each event.
func publishMany(
	t testing.TB, s *kafkatest.Site, pub *publish.Publisher, n int, during func(),
) (copies map[string]int) {
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
			run := make([]batchtest.Record, 1+i%5)
			for j := range run {
				text := fmt.Appendf(nil, `{"event":"%d-%d","text":"the same text again and again"}`, i, j)
				run[j] = batchtest.Record{Value: text}
			}
			for until := time.Now().Add(time.Minute); len(run) > 0; {
				var again []batchtest.Record
				for j, err := range send(pub, run, until) {
					switch {
					case err == nil:
						acked[i] = append(acked[i], string(run[j].Value))
					case errors.Is(err, publish.ErrAway) && time.Now().Before(until): // a busy machine; it was not kept
						again = append(again, run[j])
						<-time.After(10 * time.Millisecond)
					default:
						t.Errorf("request %d: %v", i, err)
					}
				}
				run = again
			}
		})
	}
	all.Wait()
	copies = map[string]int{}
	for _, c := range s.Records(t) {
		copies[string(c.Value)]++
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

// A batch that Kafka wrote is sent again when the answer is lost, and is on the topic once.
func TestLostAnswersAreStoredOnce(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"none", "lz4", "zstd"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			kafkatest.OnBoth(t, 6, func(t *testing.T, s *kafkatest.Site) {
				network := &kafkatest.Lossy{Every: 3}
				p := producerOf(s, network.Dial)
				copies := publishMany(t, s, publisherOver(t, p, codec), 400, nil)
				onceEach(t, copies)
				if len(copies) != 400*3 {
					t.Errorf("%d events", len(copies))
				}
				if n := network.Lost.Load(); n < 10 {
					t.Errorf("only %d answers were lost", n)
				}
			})
		})
	}
}

// This tests the test above: without producer ids it would find copies.
func TestLostAnswersWithoutIDs(t *testing.T) {
	t.Parallel()
	kafkatest.OnBoth(t, 6, func(t *testing.T, s *kafkatest.Site) {
		network := &kafkatest.Lossy{Every: 3}
		p := producerOf(s, network.Dial)
		twice := 0
		for _, n := range publishMany(t, s, publisherOver(t, idless{p}, "none"), 100, nil) {
			if n > 1 {
				twice++
			}
		}
		if twice == 0 {
			t.Errorf("%d answers were lost and no event is there twice", network.Lost.Load())
		}
	})
}

// idless is a Kafka that gives no producer ids.
type idless struct{ *Producer }

func (idless) NewID(context.Context) (recordbatch.ProducerID, error) {
	return recordbatch.NoProducerID, fmt.Errorf("%w: %w", broker.ErrAnswered, kafka.ClusterAuthorizationFailed)
}

// Partitions change their leader under load. kafka-go's own timer is turned off, so only the refresh after an error can
// find the new leaders.
func TestLeaderMoves(t *testing.T) {
	t.Parallel()
	s := kafkatest.OnFake(t, 3, 6)
	p := producerOf(s, (&kafkatest.Lossy{Every: 7}).Dial)
	p.transport.MetadataTTL = time.Hour
	var mu sync.Mutex
	refused := 0
	s.Cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.Cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		refused++
		return nil, nil, false
	})
	start := time.Now()
	copies := publishMany(t, s, publisherOver(t, p, "lz4"), 600, func() {
		for i := range int32(6) {
			if err := s.Cluster.MoveTopicPartition("events", i, (s.Cluster.LeaderFor("events", i)+1)%3); err != nil {
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

// Whatever Kafka has against an id, the batch is sent under a new one, and is on the topic once.
func TestProducerIDRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []*kerr.Error{
		kerr.UnknownProducerID, kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.ProducerFenced,
		kerr.InvalidProducerIDMapping,
	} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			s := kafkatest.OnFake(t, 1, 6)
			fault := s.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: code, Count: 5})
			copies := publishMany(t, s, publisherOver(t, producerOf(s), "none"), 100, nil)
			onceEach(t, copies)
			if len(copies) != 300 || fault.Hits() != 5 {
				t.Errorf("%d events, %d faults", len(copies), fault.Hits())
			}
		})
	}
}

// After some errors the broker has written the batch. It is on the topic once.
func TestWrittenAndRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			s := kafkatest.OnFake(t, 1, 6)
			s.Cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: code, Count: 4})
			copies := publishMany(t, s, publisherOver(t, producerOf(s), "none"), 100, nil)
			onceEach(t, copies)
			if len(copies) != 300 {
				t.Errorf("%d events", len(copies))
			}
		})
	}
}

// A broker that has just started gives no ids for a moment.
func TestCoordinatorIsLoading(t *testing.T) {
	t.Parallel()
	s := kafkatest.OnFake(t, 1, 6)
	var n atomic.Int64
	s.Cluster.ControlKey(int16(kmsg.InitProducerID), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.Cluster.KeepControl()
		if n.Add(1) > 6 {
			return nil, nil, false
		}
		resp := r.ResponseKind().(*kmsg.InitProducerIDResponse)
		resp.ErrorCode = []int16{kerr.CoordinatorLoadInProgress.Code, kerr.CoordinatorNotAvailable.Code}[n.Load()%2]
		return resp, nil, true
	})
	said := &testlog.Counter{}
	pub := publisherOver(t, producerOf(s), "none", said)
	onceEach(t, publishMany(t, s, pub, 50, nil))
	without := said.Of("kafka gives no producer id; a batch that is sent again may be on the topic twice")
	if without > said.Of("kafka gives producer ids") {
		t.Error("gave up for good")
	}
}

// The broker ends under load, and starts again at its address with its log.
func TestBrokerRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start := func(addr string) *kfake.Cluster {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir), kfake.SeedTopics(6, "events"),
			kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, addr) }))
		require.NoError(t, err)
		return c
	}
	cluster := start("127.0.0.1:0")
	s := &kafkatest.Site{T: t, Brokers: cluster.ListenAddrs(), Topic: "events"}
	p := producerOf(s, (&kafkatest.Lossy{Every: 5}).Dial)
	copies := publishMany(t, s, publisherOver(t, p, "lz4"), 400, func() {
		cluster.Close()
		cluster = start(s.Brokers[0])
	})
	t.Cleanup(func() { cluster.Close() })
	onceEach(t, copies)
	if len(copies) != 400*3 {
		t.Errorf("%d events", len(copies))
	}
}

// With every codec, Kafka takes our batches, and both clients read the same records.
func TestBatchesOnKafka(t *testing.T) {
	t.Parallel()
	for _, codec := range batchtest.Codecs {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			kafkatest.OnBoth(t, 1, func(t *testing.T, s *kafkatest.Site) {
				p := producerOf(s)
				id, err := p.NewID(t.Context())
				require.NoError(t, err)
				empty := []batchtest.Record{{Key: []byte("k"), Value: []byte{}}, {Key: []byte{}}}
				in := append(batchtest.EventsLike(300), empty...)
				e := encoderWith(t, codec)
				e.Encode([][]byte{batchtest.Run(in...)}, time.Now())
				require.NoError(t, produceSoon(t, p, e.Seal(id, 0)))
				var got []batchtest.Record
				got = append(got, s.Records(t)...)
				if !reflect.DeepEqual(batchtest.Flat(got), batchtest.Flat(in)) {
					t.Error("franz-go reads something else")
				}
				resp, err := p.client.Fetch(t.Context(), &kafka.FetchRequest{
					Topic: s.Topic, MinBytes: 1, MaxBytes: 1 << 22, MaxWait: time.Second,
				})
				require.NoError(t, err)
				got = nil
				for range in {
					r, err := resp.Records.ReadRecord()
					require.NoError(t, err)
					var out batchtest.Record
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
				if !reflect.DeepEqual(batchtest.Flat(got), batchtest.Flat(in)) {
					t.Error("kafka-go reads something else")
				}
			})
		})
	}
}

// produceSoon sends a batch to partition 0, until the topic has a leader.
func produceSoon(t testing.TB, p *Producer, batch []byte) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := p.Produce(ctx, 0, batch)
		if err == nil || !errors.Is(err, broker.ErrNotWritten) && !staleLeader(err) || ctx.Err() != nil {
			return err
		}
	}
}

// A broker drops the copy of a batch and refuses a gap. The publisher rests on that.
func TestBrokerKnowsACopy(t *testing.T) {
	t.Parallel()
	kafkatest.OnBoth(t, 1, func(t *testing.T, s *kafkatest.Site) {
		p := producerOf(s)
		id, err := p.NewID(t.Context())
		require.NoError(t, err)
		other, err := p.NewID(t.Context())
		if err != nil || other.ID == id.ID {
			t.Fatalf("ids %v and %v: %v", id, other, err)
		}
		e := encoderWith(t, "lz4")
		e.Encode([][]byte{batchtest.Run(batchtest.EventsLike(10)...)}, time.Now())
		for _, step := range []struct {
			what     string
			id       recordbatch.ProducerID
			sequence int32
			end      int64
			want     error
		}{
			{"first", id, 0, 10, nil},
			{"copy", id, 0, 10, nil},
			{"next", id, 10, 20, nil},
			{"copy of the next", id, 10, 20, nil},
			{"gap", id, 30, 20, broker.ErrProducerID},
			{"after the gap", id, 20, 30, nil},
			{"another id", other, 0, 40, nil},
			{"copy of that", other, 0, 40, nil},
			{"older epoch", recordbatch.ProducerID{ID: other.ID, Epoch: other.Epoch + 1}, 0, 50, nil},
			{"and now the epoch before", other, 10, 50, broker.ErrProducerID},
			{"no id", recordbatch.NoProducerID, -1, 60, nil},
			{"no id again", recordbatch.NoProducerID, -1, 70, nil},
		} {
			err := produceSoon(t, p, e.Seal(step.id, step.sequence))
			if !errors.Is(err, step.want) {
				t.Fatalf("%s: %v, want %v", step.what, err, step.want)
			}
			if end := s.Ends(t.Context(), t)[0]; end != step.end {
				t.Fatalf("%s: the topic ends at %d, want %d", step.what, end, step.end)
			}
		}
	})
}

// A request for an id must not make a cluster create its topic of transactions.
func TestNewIDLeavesNoTrace(t *testing.T) {
	t.Parallel()
	s := kafkatest.OnFake(t, 1, 1)
	var asked atomic.Int64
	s.Cluster.ControlKey(int16(kmsg.FindCoordinator), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.Cluster.KeepControl()
		asked.Add(1)
		return nil, nil, false
	})
	if _, err := producerOf(s).NewID(t.Context()); err != nil || asked.Load() != 0 {
		t.Errorf("%d questions for a coordinator, %v", asked.Load(), err)
	}
}
