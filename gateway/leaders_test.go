package gateway

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// links are the connections to a cluster's brokers, each through a process of its own as it were: it can be killed or stopped.
type links struct {
	t  *testing.T
	to map[string]*link // by the broker's address
}

type link struct {
	listener net.Listener
	broker   string
	stopped  atomic.Bool
	killed   atomic.Bool
	mu       sync.Mutex
	conns    []net.Conn
	running  sync.WaitGroup
}

// linked makes a producer's connections go through links.
func linked(t *testing.T, s *site) (*kafkaProducer, *links) {
	t.Helper()
	ls := &links{t: t, to: map[string]*link{}}
	for _, addr := range s.brokers {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		must(t, err)
		l := &link{listener: listener, broker: addr}
		l.running.Go(l.accept)
		t.Cleanup(func() { l.kill(); l.running.Wait() })
		ls.to[addr] = l
	}
	p := s.producer()
	p.transport.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialAlive(ctx, network, ls.to[address].listener.Addr().String())
	}
	return p, ls
}

func (l *link) accept() {
	for {
		in, err := l.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", l.broker) //nolint:noctx // loopback
		if err != nil {
			_ = in.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, in, out)
		l.mu.Unlock()
		if l.killed.Load() {
			l.kill()
		}
		l.running.Go(func() { l.pass(in, out) })
		l.running.Go(func() { l.pass(out, in) })
	}
}

func (l *link) pass(to, from net.Conn) {
	var b [64 << 10]byte
	for {
		n, err := from.Read(b[:])
		if l.stopped.Load() {
			_, _ = io.Copy(io.Discard, from) // a stopped process answers nothing until it is closed
			return
		}
		if err == nil {
			_, err = to.Write(b[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// kill ends the process: its port is closed, and its connections.
func (l *link) kill() {
	l.killed.Store(true)
	_ = l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// stop makes the process hang: connections are accepted, and nothing is answered.
func (l *link) stop() { l.stopped.Store(true) }

// TestLeaderGone: a broker that leads a third of the partitions dies or hangs, and Kafka elects nobody in its place yet. Others go on:
// there are never three seconds without an acknowledgement.
func TestLeaderGone(t *testing.T) {
	for name, end := range map[string]func(*link){"killed": (*link).kill, "stopped": (*link).stop} {
		for _, by := range []string{"none", "event_id"} {
			t.Run(name+", by "+by, func(t *testing.T) {
				s := onFake(t, 3, 12)
				for i := range int32(12) { // each lane has a partition of each broker
					must(t, s.cluster.MoveTopicPartition("events", i, i/4))
				}
				p, links := linked(t, s)
				pub := s.publisher(t, p, "none")
				waitUntil(t, func() bool { return pub.partitions.Load() == 12 })
				var last, acked, failed atomic.Int64
				var longest time.Duration
				ctx, stop := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for client := range 48 {
					all.Go(func() {
						for i := 0; ctx.Err() == nil; i++ {
							r := Record{Value: []byte(fmt.Sprint(client, " ", i))}
							if by == "event_id" {
								r.Key = r.Value
							}
							if err := publish(pub, []Record{r}, time.Now().Add(5*time.Second))[0]; err != nil {
								failed.Add(1)
								continue
							}
							acked.Add(1)
							last.Store(time.Now().UnixNano())
						}
					})
				}
				waitUntil(t, func() bool { return acked.Load() > 1000 })
				end(links.to[s.brokers[1]])
				for began := time.Now(); time.Since(began) < 5*time.Second; <-time.After(5 * time.Millisecond) {
					longest = max(longest, time.Since(time.Unix(0, last.Load())))
				}
				before := acked.Load()
				waitUntil(t, func() bool { return by == "event_id" || acked.Load() > before+1000 })
				stop()
				all.Wait()
				t.Logf("%d acknowledged, %d not; the longest time without any: %s", acked.Load(), failed.Load(), longest)
				// With keys each client comes to a partition of the dead broker sooner or later, and waits for it.
				if by == "none" && longest > 3*time.Second {
					t.Errorf("%s without an acknowledgement", longest)
				}
			})
		}
	}
}

// TestStuckKeyHoldsNobodyUp: keys of a partition whose leader hangs wait, in order; the other keys of the lane do not.
func TestStuckKeyHoldsNobodyUp(t *testing.T) {
	s := onFake(t, 3, 12)
	p, links := linked(t, s)
	pub := s.publisher(t, p, "none")
	waitUntil(t, func() bool { return pub.partitions.Load() == 12 })
	of, err := p.Replicas(t.Context())
	must(t, err)
	at := func(partition int) Record {
		for i := 0; ; i++ {
			if key := fmt.Appendf(nil, "key %d", i); pub.partitionOf(key) == partition {
				return Record{Key: key, Value: key}
			}
		}
	}
	for i := range 12 {
		must(t, publish(pub, []Record{at(i)}, soon())[0])
	}
	for _, l := range links.to {
		if l.broker == s.brokers[of[1].leader] {
			l.stop()
		}
	}
	var stuck sync.WaitGroup
	for range 3 {
		stuck.Go(func() { _ = publish(pub, []Record{at(1)}, time.Now().Add(3*time.Second)) })
	}
	for i := range 12 {
		if of[i].leader == of[1].leader {
			continue
		}
		start := time.Now()
		if err := publish(pub, []Record{at(i)}, soon())[0]; err != nil || time.Since(start) > 2*time.Second {
			t.Errorf("partition %d: %v after %s", i, err, time.Since(start))
		}
	}
	stuck.Wait()
}

// TestBelowMinISR: two of three brokers die, or hang, and the third has too few replicas. That is one outage, however often the
// third shows signs of life; every request is answered soon.
func TestBelowMinISR(t *testing.T) {
	for name, end := range map[string]func(*link){"killed": (*link).kill, "stopped": (*link).stop} {
		for _, spooled := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", spool ", spooled), func(t *testing.T) {
				s := onFake(t, 3, 12)
				s.configure("min.insync.replicas", "2")
				p, links := linked(t, s)
				said := &counter{}
				g := serve(t, func(c *Config, d *Deps) {
					d.Producer, d.Log, c.RequestTimeout = p, slog.New(said), 10*time.Second
					if spooled {
						c.SpoolDir, c.SpoolMaxBytes, c.SpoolMaxAge = filepath.Join(t.TempDir(), "spool"), minSpoolBytes, time.Hour
					}
				})
				waitUntil(t, func() bool { return g.publisher.minISR.Load() == 2 })
				if got := g.single(`{"message":"before"}`); got.status != http.StatusAccepted {
					t.Fatalf("%d %s", got.status, got.text)
				}
				s.cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
					s.cluster.KeepControl()
					return answeringWith(r, kerr.NotEnoughReplicas), nil, true
				})
				end(links.to[s.brokers[0]])
				end(links.to[s.brokers[2]])
				var all sync.WaitGroup
				ctx, stop := context.WithCancel(t.Context())
				for range 8 { // so that somebody finds out
					all.Go(func() {
						for ctx.Err() == nil {
							g.single(`{"message":"x"}`)
							<-time.After(20 * time.Millisecond)
						}
					})
				}
				start := time.Now()
				waitUntil(t, func() bool { return said.of("kafka is away") == 1 })
				if took := time.Since(start); took > 4*time.Second {
					t.Errorf("it took %s to notice", took)
				}
				<-time.After(outageWait)
				want := http.StatusServiceUnavailable
				if spooled {
					want = http.StatusAccepted
				}
				for began := time.Now(); time.Since(began) < 7*time.Second; {
					start := time.Now()
					got := g.single(`{"message":"during"}`)
					if took := time.Since(start); took > outageWait+300*time.Millisecond || got.status != want {
						t.Fatalf("%d after %s", got.status, took)
					}
					<-time.After(50 * time.Millisecond)
				}
				stop()
				all.Wait()
				if away, back := said.of("kafka is away"), said.of("kafka is back"); away != 1 || back != 0 {
					t.Errorf("away %d times, back %d times", away, back)
				}
			})
		}
	}
}

// A connection that the broker has closed is noticed before anything is written to it.
func TestDeadConnection(t *testing.T) {
	s := onFake(t, 1, 1)
	p, links := linked(t, s)
	must(t, p.Produce(t.Context(), 0, batchOf(t, Record{Value: []byte("a")})))
	l := links.to[s.brokers[0]]
	l.kill()
	l.running.Wait()
	err := p.Produce(t.Context(), 0, batchOf(t, Record{Value: []byte("b")}))
	if err == nil || publishReason(err) != reasonUnreachable || !bytes.Contains([]byte(err.Error()), []byte(ErrNotWritten.Error())) {
		t.Errorf("got %v", err)
	}
}
