package gateway

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
	"sluice/gateway/ingest"
	"sluice/gateway/kafka"
	"sluice/gateway/kafka/kafkatest"
	"sluice/gateway/publish"
	"sluice/internal/kafkaconn"
	"sluice/internal/testlog"
)

// kafkaDefault is Kafka's own default of max.message.bytes.
const kafkaDefault = 1048588

// enough is the least max.message.bytes for events of 1 MiB.
const enough = 1<<20 + 4<<10

// kafkaOf makes a producer for a site, until the test ends; dial may replace its way there.
func kafkaOf(s *kafkatest.Site, dial ...func(ctx context.Context, network, address string) (net.Conn, error)) *kafka.Producer {
	cfg := kafka.Config{Conn: s.Config(), Timeout: publish.AttemptTimeout}
	if len(dial) > 0 {
		cfg.Dial = dial[0]
	}
	p, err := kafka.New(cfg)
	require.NoError(s.T, err)
	s.T.Cleanup(p.Close)
	return p
}

// undescribed is a Kafka that does not let the gateway read the topic's settings.
type undescribed struct{ broker.Producer }

// gate is a way to Kafka that can be shut.
type gate struct {
	*kafka.Producer
	shut atomic.Bool
}

func (g *gate) Produce(ctx context.Context, partition int, batch []byte) error {
	if g.shut.Load() {
		return brokertest.ErrDown
	}
	return g.Producer.Produce(ctx, partition, batch)
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

// A topic with Kafka's default takes less than a batch of ours: what fits in a batch is kept all the same, and what
// fits in none is said to be too large, for good.
func TestTopicTakesLess(t *testing.T) {
	kafkatest.OnBoth(t, 3, func(t *testing.T, s *kafkatest.Site) {
		s.Configure("max.message.bytes", fmt.Sprint(kafkaDefault))
		for name, p := range map[string]broker.Producer{"described": kafkaOf(s), "undescribed": undescribed{kafkaOf(s)}} {
			t.Run(name, func(t *testing.T) {
				g := serve(t, func(_ *Config, d *Deps) { d.Producer = p })
				bulk := events(1500, func(int) string { return noisy(1200) })
				if got := g.bulkOf(bulk); got.status != http.StatusAccepted || got.body.Accepted != 1500 || len(got.body.Retry) > 0 {
					t.Errorf("bulk of 1,500: %d, %d accepted, %d rejected: %.200s", got.status, got.body.Accepted, got.body.Rejected, got.text)
				}
				large := noisy(1_048_428)
				if got := g.single(large); got.status != http.StatusRequestEntityTooLarge || got.body.Code != "too_large" || *got.body.Retryable || got.body.Limit != ingest.LimitTopicBatch {
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

// spoolingGate is a gateway with a spool and a way to Kafka that is shut.
func spoolingGate(t *testing.T, s *kafkatest.Site, log slog.Handler, hide bool) (g *served, way *gate, metric func(string) float64, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "spool")
	spool, metric := withSpool(t, dir)
	way = &gate{Producer: kafkaOf(s)}
	way.shut.Store(true)
	g = serve(t, spool, func(_ *Config, d *Deps) {
		d.Log, d.refusedAgain = slog.New(log), 50*time.Millisecond
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

// A refusal by the whole topic is an outage: the spool waits, says so, and goes on when the topic is mended.
func TestTopicRefusesAll(t *testing.T) {
	for _, setting := range [][3]string{{"cleanup.policy", "compact", "delete"}, {"max.message.bytes", "70", fmt.Sprint(kafkaDefault)}} {
		t.Run(setting[0], func(t *testing.T) {
			kafkatest.OnBoth(t, 3, func(t *testing.T, s *kafkatest.Site) {
				said := &testlog.Counter{}
				g, way, metric, dir := spoolingGate(t, s, said, true)
				var want []string
				for i := range 20 {
					want = append(want, fmt.Sprintf(`{"message":"%d"}`, i))
				}
				g.keeps(want...)
				s.Configure(setting[0], setting[1])
				way.shut.Store(false)
				waitUntil(t, func() bool {
					return said.Of("kafka refuses every event in the spool; see gateway check; the spool keeps them and tries again") == 1
				})
				if n, aside := metric("spool_events"), quarantined(t, dir); n != 20 || metric("spool_bytes") == 0 || len(aside) > 0 {
					t.Errorf("%v events in the spool, kept aside: %v", n, aside)
				}
				waitUntil(t, func() bool { _, away := g.publisher.Away(); return away })
				if r, _ := g.publisher.Away(); r != broker.ReasonRefused {
					t.Errorf("reason %s", r)
				}
				if setting[0] == "cleanup.policy" {
					want = append(want, `{"message":"live"}`)
					g.keeps(want[20]) // by the spool
				}
				s.Configure(setting[0], setting[2])
				waitUntil(t, func() bool { return metric("spool_events") == 0 })
				got := s.Values(t)
				slices.Sort(got)
				if slices.Sort(want); !slices.Equal(got, want) {
					t.Errorf("came: %q", got)
				}
				waitUntil(t, func() bool { return said.Of("spool is empty") == 1 })
				if said.Of("kafka refuses an event in the spool; the spool keeps it and tries again") > 0 {
					t.Errorf("said: %v", said.All())
				}
			})
		})
	}
}

// What Kafka refuses while it takes the rest stays in the figures, and goes when the topic takes it.
func TestTopicRefusesOne(t *testing.T) {
	kafkatest.OnBoth(t, 3, func(t *testing.T, s *kafkatest.Site) {
		s.Configure("max.message.bytes", fmt.Sprint(kafkaDefault))
		said := &testlog.Counter{}
		g, way, metric, dir := spoolingGate(t, s, said, true) // nobody knows yet that the topic will not take it
		large := noisy(1_048_428)
		g.keeps(`{"message":"before"}`, large, `{"message":"after"}`)
		way.shut.Store(false)
		waitUntil(t, func() bool { return metric("spool_events") == 1 && metric("spool_refused_events") == 1 })
		waitUntil(t, func() bool { return said.Of("spool is sent, except for what kafka refuses") == 1 })
		if n := metric("spool_bytes"); n < 1_048_428 || len(quarantined(t, dir)) != 1 || said.Of("spool is empty") > 0 {
			t.Errorf("%v bytes, %v, said %v", n, quarantined(t, dir), said.All())
		}
		if n := len(s.Values(t)); n != 2 {
			t.Errorf("%d came", n)
		}
		tries := metric("publish_errors_total/" + broker.ReasonTooLarge)
		waitUntil(t, func() bool { return metric("publish_errors_total/"+broker.ReasonTooLarge) > tries }) // not mended yet
		if n := metric("spool_refused_events"); n != 1 {
			t.Errorf("%v events are refused", n)
		}
		s.Configure("max.message.bytes", "2097152")
		waitUntil(t, func() bool { return metric("spool_events") == 0 })
		if got := s.Values(t); !slices.Contains(got, large) || len(quarantined(t, dir)) != 0 {
			t.Error("it did not come, or is still kept")
		}
	})
}

// quarantined lists the spool's files with what Kafka refuses.
func quarantined(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.refused"))
	require.NoError(t, err)
	return found
}

// While the topic's settings are known, an event that it can never take is not answered 202.
func TestTooLargeForTheTopicIsNotSpooled(t *testing.T) {
	kafkatest.OnBoth(t, 3, func(t *testing.T, s *kafkatest.Site) {
		s.Configure("max.message.bytes", fmt.Sprint(kafkaDefault))
		g, _, metric, _ := spoolingGate(t, s, slog.DiscardHandler, false)
		waitUntil(t, func() bool { return g.publisher.Topic().MaxBatch == kafkaDefault })
		if got := g.single(noisy(1_048_428)); got.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%d %s", got.status, got.text)
		}
		g.keeps(`{"message":"`+strings.Repeat("x", 1_048_000)+`"}`, noisy(1_040_000))
		// On a slow machine the gateway's count of the refusal waits in the spool too.
		if n := metric("spool_events"); n != 2 && n != 3 {
			t.Errorf("%v events in the spool", n)
		}
	})
}

// What is wrong with the topic is said at the start, by gateway check, and when it changes.
func TestTopicFaultsAreSaid(t *testing.T) {
	kafkatest.OnBoth(t, 3, func(t *testing.T, s *kafkatest.Site) {
		check := func() (string, error) {
			cfg := Config{
				HTTPAddr: "127.0.0.1:0", RequestTimeout: time.Second, HTTPIdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, MaxEventBytes: 1 << 20,
				MaxBulkBytes: 5 << 20, MaxInflightBytes: 64 << 20, KafkaCompression: "none",
			}
			notes, err := CheckTopic(t.Context(), cfg, s.Config())
			return strings.Join(notes, "\n"), err
		}
		s.Configure("max.message.bytes", fmt.Sprint(enough))
		s.Configure("message.timestamp.type", "LogAppendTime")
		if notes, err := check(); notes != "" || err != nil {
			t.Errorf("a good topic: %q %v", notes, err)
		}
		s.Configure("max.message.bytes", fmt.Sprint(enough-1))
		s.Configure("cleanup.policy", "compact")
		s.Configure("min.insync.replicas", "2")
		s.Configure("message.timestamp.type", "CreateTime")
		notes, err := check()
		for _, want := range []string{"cleanup.policy", "max.message.bytes", "min.insync.replicas", "--max-event-bytes"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s is not said: %v", want, err)
			}
		}
		if !strings.Contains(notes, "message.timestamp.type") {
			t.Errorf("notes: %q", notes)
		}
		said := &testlog.Counter{}
		g := serve(t, func(_ *Config, d *Deps) { d.Producer, d.Log = kafkaOf(s), slog.New(said) })
		waitUntil(t, func() bool { return said.Of("topic does not take what the gateway accepts") == 3 })
		if n := g.publisher.Topic().MaxBatch; n != enough-1 {
			t.Errorf("batches of %d bytes", n)
		}
	})
}

// Kafka away, or no right to ask: the check says so and is no failure.
func TestTopicNotChecked(t *testing.T) {
	s := kafkatest.OnFake(t, 1, 1)
	s.RefuseDescribe()
	cfg := Config{
		HTTPAddr: "127.0.0.1:0", RequestTimeout: time.Second, HTTPIdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, MaxEventBytes: 1 << 20,
		MaxBulkBytes: 5 << 20, MaxInflightBytes: 64 << 20, KafkaCompression: "none",
	}
	for name, brokers := range map[string][]string{"no right": s.Brokers, "nobody there": {"127.0.0.1:1"}} {
		notes, err := CheckTopic(t.Context(), cfg, kafkaconn.Config{Brokers: brokers, Topic: s.Topic, DeadTopic: "dead"})
		if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "was not checked") {
			t.Errorf("%s: %q %v", name, notes, err)
		}
	}
}

// outageAnswer is how long a request waits for Kafka at most while Kafka is known to be away.
const outageAnswer = time.Second

// TestBelowMinISR: two of three brokers die, or hang, and the third has too few replicas. That is one outage, however
// often the third shows signs of life; every request is answered soon.
// A publisher that does not know of the outage gives each request 2 s. So most requests must be answered well before
// that, and all of them within half of the 10 s that a request has without an outage.
func TestBelowMinISR(t *testing.T) {
	ends := map[string]func(*kafkatest.Link){"killed": (*kafkatest.Link).Kill, "stopped": (*kafkatest.Link).Stop}
	for name, end := range ends {
		for _, spooled := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", spool ", spooled), func(t *testing.T) {
				t.Parallel()
				s := kafkatest.OnFake(t, 3, 12)
				s.Configure("min.insync.replicas", "2")
				links := kafkatest.NewLinks(t, s)
				p := kafkaOf(s, links.Dial)
				said := &testlog.Counter{}
				g := serve(t, func(c *Config, d *Deps) {
					d.Producer, d.Log, c.RequestTimeout = p, slog.New(said), 10*time.Second
					if spooled {
						c.SpoolDir, c.SpoolMaxBytes, c.SpoolMaxAge = filepath.Join(t.TempDir(), "spool"), minSpoolBytes, time.Hour
					}
				})
				waitUntil(t, func() bool { return g.publisher.Topic().MinISR == 2 })
				if got := g.single(`{"message":"before"}`); got.status != http.StatusAccepted {
					t.Fatalf("%d %s", got.status, got.text)
				}
				s.RefuseProduce(kerr.NotEnoughReplicas)
				end(links.To(0))
				end(links.To(2))
				var all sync.WaitGroup
				ctx, stop := context.WithCancel(t.Context())
				for range 4 { // so that somebody finds out
					all.Go(func() {
						for ctx.Err() == nil {
							g.single(`{"message":"x"}`)
							<-time.After(20 * time.Millisecond)
						}
					})
				}
				start := time.Now()
				waitUntil(t, func() bool { return said.Of("kafka is away") == 1 })
				// Without notice of the outage every request waits for 10 s, and more clients wait with it.
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("it took %s to notice", took)
				}
				<-time.After(outageAnswer)
				want := http.StatusServiceUnavailable
				if spooled {
					want = http.StatusAccepted
				}
				var took []time.Duration
				for began := time.Now(); time.Since(began) < 3*outageAnswer || len(took) < 3; {
					start := time.Now()
					got := g.single(`{"message":"during"}`)
					took = append(took, time.Since(start))
					if took[len(took)-1] > 5*outageAnswer || got.status != want {
						t.Fatalf("%d after %s", got.status, took[len(took)-1])
					}
					<-time.After(50 * time.Millisecond)
				}
				slices.Sort(took)
				if typical := took[len(took)/2]; typical > 2*outageAnswer-100*time.Millisecond {
					t.Errorf("typically answered after %s", typical)
				}
				stop()
				all.Wait()
				if away, back := said.Of("kafka is away"), said.Of("kafka is back"); away != 1 || back != 0 {
					t.Errorf("away %d times, back %d times", away, back)
				}
			})
		}
	}
}
