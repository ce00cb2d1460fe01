package publish

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
	"sluice/gateway/spool"
	"sluice/internal/recordbatch/batchtest"

	"github.com/stretchr/testify/require"
)

// detoured is a publisher with a spool in a bubble.
type detoured struct {
	*Publisher
	t     *testing.T
	spool *spool.Spool
	stop  func()
}

// detour starts a publisher over p whose spool is in dir, as Gateway.Run does.
func detourTo(t *testing.T, p broker.Producer, dir string, edit ...func(*spool.Config)) *detoured {
	t.Helper()
	cfg := spool.Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour}
	for _, f := range edit {
		f(&cfg)
	}
	d := &detoured{t: t, spool: spool.New(cfg)}
	require.NoError(t, d.spool.Open())
	d.Publisher = publisherFor(t, p, inflightBytes(64<<20), func(c *Config) { c.Spool = d.spool })
	ctx, cancel := context.WithCancel(context.Background())
	writing, stopWriting := context.WithCancel(context.Background())
	var publishing, spooling sync.WaitGroup
	publishing.Go(func() { d.Run(ctx) })
	spooling.Go(func() { d.spool.Run(writing) })
	d.stop = sync.OnceFunc(func() {
		cancel()
		publishing.Wait()
		stopWriting()
		spooling.Wait()
		if err := d.spool.Close(); err != nil {
			t.Error(err)
		}
		if n := d.inflight.Load(); n != 0 {
			t.Errorf("%d bytes are still counted as in flight", n)
		}
	})
	return d
}

// inDetour runs test in a bubble, once the partitions are known.
func inDetour(t *testing.T, m broker.Producer, test func(t *testing.T, d *detoured), edit ...func(*spool.Config)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := detourTo(t, m, dir, edit...)
		defer d.stop()
		for d.partitions.Load() == 0 {
			time.Sleep(time.Millisecond) // the bubble's clock
		}
		test(t, d)
	})
}

// send publishes one event and says how long that took.
func (d *detoured) send(value string) (time.Duration, error) {
	start := time.Now()
	err := publish(d.Publisher, []batchtest.Record{{Value: []byte(value)}}, start.Add(10*time.Second))[0]
	return time.Since(start), err
}

// sendAll publishes events one after another; all must be kept, each within most.
func (d *detoured) sendAll(most time.Duration, values ...string) {
	d.t.Helper()
	for _, v := range values {
		if took, err := d.send(v); err != nil || took > most {
			d.t.Fatalf("%s: %v after %s", v, err, took)
		}
	}
}

// drained waits, on the bubble's clock, until the spool is empty.
func (d *detoured) drained() { d.t.Helper(); d.drainedBut(0) }

// drainedBut waits until all that is left is that many events which Kafka refuses.
func (d *detoured) drainedBut(refused int64) {
	d.t.Helper()
	for range 10_000 {
		if f := d.spool.Stats(); f.Refused == refused && f.Events == refused && (refused > 0) == (f.Bytes > 0) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	d.t.Fatalf("still in the spool: %+v", d.spool.Stats())
}

// patient is how long an event may take to get to the spool while nobody knows that Kafka is away.
const patient = outageAfter + 2*lastBackoff

func TestKafkaAwayAndBack(t *testing.T) {
	for name, err := range map[string]error{
		"down":                brokertest.ErrDown,
		"not enough replicas": fmt.Errorf("%w: %w: not enough replicas", broker.ErrAnswered, broker.ErrNotWritten),
		"no leader":           fmt.Errorf("%w: leader not available", broker.ErrAnswered),
		"answers lost":        brokertest.ErrLost,
	} {
		t.Run(name, func(t *testing.T) {
			m := &brokertest.Memory{}
			inDetour(t, m, func(t *testing.T, d *detoured) {
				want := eventTexts(100)
				d.sendAll(0, want[0])
				m.Down(err)
				d.sendAll(patient, want[1]) // nobody knows yet
				attempts := len(m.Placed())
				d.sendAll(0, want[2:]...)
				if n := len(m.Placed()) - attempts; n > 2 {
					t.Errorf("kafka was tried %d times in no time", n)
				}
				if f := d.spool.Stats(); f.Events != 99 {
					t.Fatalf("in the spool: %+v", f)
				}
				if n := len(m.Values()); n != 1 {
					t.Fatalf("%d events on the topic", n)
				}
				time.Sleep(time.Hour / 2) // the bubble's clock
				m.Up()
				time.Sleep(2 * outageWait)
				if d.outage.away(time.Now()) {
					t.Error("without requests nobody notices that kafka is back")
				}
				d.sendAll(0, "live")
				d.drained()
				got := slices.DeleteFunc(m.Values(), func(v string) bool { return v == "live" })
				if !slices.Equal(got, want) {
					t.Errorf("%d of %d came, or in another order", len(got), len(want))
				}
				m.Down(err) // and once more
				d.sendAll(patient, "again")
				m.Up()
				d.drained()
				if !slices.Contains(m.Values(), "again") {
					t.Error("the second outage lost an event")
				}
			})
		})
	}
}

// The batch may have been written, and nobody knows: it comes again under another id, and may be there twice.
func TestSpooledAfterALostAnswer(t *testing.T) {
	m := &brokertest.Memory{}
	inDetour(t, m, func(t *testing.T, d *detoured) {
		m.Failing(func() (bool, error) { return true, brokertest.ErrLost })
		d.sendAll(patient, "event")
		before := m.Placed()
		m.Failing(nil)
		d.drained()
		if n := len(m.Stored()); n != 2 {
			t.Errorf("%d records, not two copies", n)
		}
		given := len(m.Placed())
		for range 20 { // every lane
			var all sync.WaitGroup
			for range lanes {
				all.Go(func() { d.sendAll(0, "next") })
			}
			all.Wait()
		}
		for _, p := range m.Placed()[given:] {
			if p.ProducerID == before[0].ProducerID {
				t.Fatalf("a lane goes on with the id of a batch that it gave up: %+v", p)
			}
		}
	})
}

// Kafka says nothing at all: an attempt is not waited for until the request's deadline.
func TestSpooledWhenKafkaIsSilent(t *testing.T) {
	m := &brokertest.Memory{}
	inDetour(t, m, func(t *testing.T, d *detoured) {
		d.sendAll(0, "first")
		m.Mu.Lock()
		m.Hold = make(chan struct{})
		m.Mu.Unlock()
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() { d.sendAll(10*time.Second-d.detour.margin+lastBackoff, fmt.Sprint(i)) })
			synctest.Wait()
		}
		all.Wait()
		m.Mu.Lock()
		m.Refuse = func() error { return context.DeadlineExceeded }
		m.Mu.Unlock()
		d.sendAll(d.detour.attempt+lastBackoff, "the next")
		for i := range 100 {
			if took, err := d.send(fmt.Sprint("later ", i)); err != nil || took > outageWait {
				t.Fatalf("%v after %s", err, took)
			}
		}
		close(m.Hold)
		m.Up()
		d.drained()
		if n := len(m.Values()); n != 152 {
			t.Errorf("%d events came", n)
		}
	})
}

func TestTooLargeIsNotSpooled(t *testing.T) {
	m := &brokertest.Memory{}
	inDetour(t, m, func(t *testing.T, d *detoured) {
		m.Failing(func() (bool, error) { return false, broker.ErrTooLarge })
		if _, err := d.send("event"); !errors.Is(err, broker.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		if f := d.spool.Stats(); f != (spool.Stats{}) {
			t.Errorf("in the spool: %+v", f)
		}
	})
}

// A full spool is a no, soon, and loses nothing of what is in it.
func TestSpoolFull(t *testing.T) {
	for want, bound := range map[error]func(*spool.Config){
		spool.ErrFull: func(c *spool.Config) { c.MaxBytes = 64 << 10 },
		spool.ErrOld:  func(c *spool.Config) { c.MaxAge = time.Second },
	} {
		t.Run(want.Error(), func(t *testing.T) {
			m := &brokertest.Memory{}
			inDetour(t, m, func(t *testing.T, d *detoured) {
				m.Down(brokertest.ErrDown)
				d.sendAll(patient, "first")
				d.sendAll(0, "second")
				kept := 2
				if want == spool.ErrFull { //nolint:errorlint // the key itself
					for ; kept < 100; kept++ {
						if _, err := d.send(strings.Repeat("x", 8<<10-kept)); err != nil {
							break
						}
					}
				} else {
					time.Sleep(time.Second + time.Millisecond) // the bubble's clock
				}
				refused := strings.Repeat("refused", 2<<10)
				for range 5 {
					if took, err := d.send(refused); !errors.Is(err, want) || took > 0 {
						t.Errorf("%v after %s", err, took)
					}
				}
				m.Up()
				time.Sleep(2 * outageWait)
				d.sendAll(0, "live")
				d.drained()
				got := m.Values()
				if i, j := slices.Index(got, "first"), slices.Index(got, "second"); i < 0 || j < i || slices.Contains(got, refused) || !slices.Contains(got, "live") || len(got) != kept+1 {
					t.Errorf("came: %d of %d, %.20q", len(got), kept+1, got)
				}
			}, bound)
		})
	}
}

// late is a topic that does not exist yet.
type late struct {
	*brokertest.Memory
	n  atomic.Int64
	at sync.Map // partition of a value
}

func (l *late) Partitions(context.Context) (int, error) {
	if n := l.n.Load(); n > 0 {
		return int(n), nil
	}
	return 0, errors.New("topic: unknown topic or partition")
}

func (l *late) Produce(ctx context.Context, partition int, batch []byte) error {
	err := l.Memory.Produce(ctx, partition, batch)
	if b, _ := batchtest.Parse(batch); err == nil {
		for _, r := range b.Read {
			l.at.Store(string(r.Value), partition)
		}
	}
	return err
}

// What was kept before anybody knew the topic's partitions goes to its key's partition all the same.
func TestTopicUnknownYet(t *testing.T) {
	m := &late{Memory: &brokertest.Memory{}}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := detourTo(t, m, dir)
		defer d.stop()
		var records []batchtest.Record
		for i := range 200 {
			r := batchtest.Record{Value: []byte(fmt.Sprint(i))}
			if i%10 > 0 {
				r.Key = []byte(fmt.Sprint("key ", i%7))
			}
			records = append(records, r)
		}
		for _, err := range publish(d.Publisher, records, time.Now().Add(10*time.Second)) {
			if err != nil {
				t.Fatal(err)
			}
		}
		m.n.Store(5)
		d.drained()
		order := map[string]string{}
		for _, r := range m.Stored() {
			order[string(r.Key)] += string(r.Value) + " "
		}
		for i, r := range records {
			at, ok := m.at.Load(string(r.Value))
			if want := d.PartitionOf(r.Key); !ok || want >= 0 && at != want {
				t.Errorf("%d is on partition %v, not %d", i, at, want)
			}
			if rest, first := strings.CutPrefix(order[string(r.Key)], string(r.Value)+" "); first {
				order[string(r.Key)] = rest
			} else {
				t.Errorf("%d is not the next of its key: %.20s", i, order[string(r.Key)])
			}
		}
	})
}

// A drain waits for nobody's patience.
func TestDrainSpools(t *testing.T) {
	m := &brokertest.Memory{}
	inDetour(t, m, func(t *testing.T, d *detoured) {
		m.Down(brokertest.ErrDown)
		d.detour.draining.Store(true)
		d.sendAll(lastBackoff, "in flight")
		d.stop()
		m.Up()
		if f := d.spool.Stats(); f.Events != 1 {
			t.Errorf("in the spool: %+v", f)
		}
	})
}

// What was acknowledged before a crash, or is being sent again when the next one comes, comes after it.
func TestSpoolOutlivesItsGateway(t *testing.T) {
	m := &brokertest.Memory{}
	dir, crashed, outer := t.TempDir(), "", t
	want := eventTexts(40)
	synctest.Test(t, func(t *testing.T) {
		m.Down(brokertest.ErrDown)
		d := detourTo(t, m, dir)
		defer d.stop()
		d.sendAll(patient, want[0])
		d.sendAll(0, want[1:]...)
		crashed = filepath.Join(outer.TempDir(), "spool")
		require.NoError(t, os.CopyFS(crashed, os.DirFS(dir))) // the bubble's own would go with it
		m.Failing(brokertest.Times(1, true, nil))             // one batch, then down again
		time.Sleep(10 * time.Second)
		m.Down(brokertest.ErrDown)
	})
	m.Up()
	m.Forget() // another process has other ids
	synctest.Test(t, func(t *testing.T) {
		d := detourTo(t, m, crashed)
		defer d.stop()
		d.drained()
	})
	if got := m.Values(); !slices.Equal(got, want) {
		t.Errorf("%d of %d came, or in another order", len(got), len(want))
	}
}

// paced is a Kafka that takes its time, and notes when what was sent by whom.
type paced struct {
	brokertest.Memory
	took    time.Duration
	replays []time.Time
	lives   int
}

func (p *paced) Produce(ctx context.Context, partition int, batch []byte) error {
	if p.took > 0 {
		b, _ := batchtest.Parse(batch)
		p.Mu.Lock()
		if strings.HasPrefix(string(b.Read[0].Value), "spooled") {
			p.replays = append(p.replays, time.Now())
		} else {
			p.lives++
		}
		p.Mu.Unlock()
		time.Sleep(p.took)
	}
	return p.Memory.Produce(ctx, partition, batch)
}

// Replay is slower than live traffic, and never starved by it.
func TestReplayShares(t *testing.T) {
	const took = 100 * time.Millisecond
	for name, clients := range map[string]int{"idle": 0, "busy": 20} {
		t.Run(name, func(t *testing.T) {
			m := &paced{}
			inDetour(t, m, func(t *testing.T, d *detoured) {
				m.Down(brokertest.ErrDown)
				for range 20 {
					d.sendAll(patient, "spooled "+strings.Repeat("x", replayBytes))
				}
				m.took = took
				m.Up()
				stop := make(chan struct{})
				var all sync.WaitGroup
				for range clients {
					all.Go(func() {
						for {
							select {
							case <-stop:
								return
							default:
								if _, err := d.send("live"); err != nil {
									t.Error(err)
								}
								time.Sleep(time.Millisecond) // the bubble's clock
							}
						}
					})
				}
				d.drained()
				close(stop)
				all.Wait()
				if len(m.replays) != 20 {
					t.Fatalf("%d batches of replay", len(m.replays))
				}
				for i := range m.replays[1:] {
					gap := m.replays[i+1].Sub(m.replays[i])
					if least, most := 2*took, 2*took+replayYield+replayPoll; gap < least || gap > most {
						t.Errorf("%s between two batches, not %s to %s", gap, least, most)
					}
				}
				if clients > 0 && m.lives < 3*len(m.replays) {
					t.Errorf("%d live batches beside %d of replay", m.lives, len(m.replays))
				}
			})
		})
	}
}

// What Kafka refuses for good does not stop what is behind it, and is kept.
func TestReplayKeepsRefusedAside(t *testing.T) {
	m := &brokertest.Memory{}
	dir := t.TempDir()
	want := eventTexts(20)
	synctest.Test(t, func(t *testing.T) {
		d := detourTo(t, m, dir)
		defer d.stop()
		m.Down(brokertest.ErrDown)
		for i, v := range want {
			if i == 7 {
				d.sendAll(patient, strings.Repeat("large", 1000))
			}
			d.sendAll(patient, v)
		}
		m.Mu.Lock()
		m.Limit = 3000
		m.Mu.Unlock()
		m.Up()
		d.drainedBut(1)
		if got := m.Values(); !slices.Equal(got, want) {
			t.Errorf("%d of %d came, or in another order", len(got), len(want))
		}
	})
	aside := refusedFiles(t, dir)
	if len(aside) != 1 {
		t.Fatalf("kept aside: %v", aside)
	}
	require.NoError(t, os.Rename(aside[0], strings.TrimSuffix(aside[0], ".refused")+".spool"))
	m.Limit = 0
	m.Forget()
	synctest.Test(t, func(t *testing.T) { // the operator raised the topic's limit, and gave the file its old name back
		d := detourTo(t, m, dir)
		defer d.stop()
		d.drained()
	})
	if got := m.Values(); len(got) != len(want)+1 {
		t.Errorf("%d came", len(got))
	}
}

// eventTexts are n different values of events.
func eventTexts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("event %d %s", i, strings.Repeat("x", i%100))
	}
	return out
}

// refusedFiles lists the spool's files with what Kafka refuses.
func refusedFiles(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.refused"))
	require.NoError(t, err)
	return found
}

var errCompacted = fmt.Errorf("%w: %w: a compacted topic", broker.ErrAnswered, broker.ErrRefused)

// TestRefusedEntryStaysOne: an entry of many records, as an earlier version kept it, is tried again and again while the topic takes
// nothing. It stays one file, and its records count once.
func TestRefusedEntryStaysOne(t *testing.T) {
	m := &brokertest.Memory{}
	m.Failing(func() (bool, error) { return false, errCompacted })
	dir := t.TempDir()
	const records = 3 * suspectsMost
	var many []batchtest.Record
	for _, v := range eventTexts(records) {
		many = append(many, batchtest.Record{Value: []byte(v)})
	}
	before := spool.New(spool.Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour})
	require.NoError(t, before.Open())
	require.NoError(t, before.Quarantine(spool.Entry{AcceptedAt: time.Now(), Partition: -1, Count: records, Records: batchtest.Run(many...)}, errCompacted))
	require.NoError(t, before.Close())
	synctest.Test(t, func(t *testing.T) {
		d := detourTo(t, m, dir)
		defer d.stop()
		time.Sleep(5*refusedAgain + time.Second)
		if f := d.spool.Stats(); f.Refused != records || f.Events != records {
			t.Errorf("%+v", f)
		}
		if n := len(refusedFiles(t, dir)); n != 1 {
			t.Errorf("%d files", n)
		}
		m.Failing(nil)
		time.Sleep(refusedAgain + time.Second)
		d.drained()
	})
	if n := len(m.Stored()); n != records {
		t.Errorf("%d records of %d", n, records)
	}
}
