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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
	"sluice/gateway/spool"
	"sluice/internal/recordbatch/batchtest"
)

// spooling is a publisher with a spool, in a bubble.
type spooling struct {
	*Publisher
	t     *testing.T
	spool *spool.Spool
	stop  func()
}

// spoolingTo starts a publisher over p whose spool is in dir, as Gateway.Run does.
func spoolingTo(t *testing.T, p broker.Producer, dir string, edit ...func(*spool.Config, *Config)) *spooling {
	t.Helper()
	in := spool.Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour}
	cfg := Config{MaxInflightBytes: 64 << 20, MaxEventBytes: 1 << 20, RequestTimeout: 10 * time.Second}
	for _, f := range edit {
		f(&in, &cfg)
	}
	d := &spooling{t: t, spool: spool.New(in)}
	require.NoError(t, d.spool.Open())
	cfg.Spool = d.spool
	var err error
	d.Publisher, err = New(p, cfg)
	require.NoError(t, err)
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
		if n := d.Inflight(); n != 0 {
			t.Errorf("%d bytes are still counted as in flight", n)
		}
	})
	return d
}

// inSpooling runs test in a bubble, once the partitions are known.
func inSpooling(
	t *testing.T, m broker.Producer, test func(t *testing.T, d *spooling), edit ...func(*spool.Config, *Config),
) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := spoolingTo(t, m, dir, edit...)
		defer d.stop()
		for d.partitions.Load() == 0 {
			time.Sleep(time.Millisecond) // the bubble's clock
		}
		test(t, d)
	})
}

// send publishes one event, and returns how long that took.
func (d *spooling) send(value string) (time.Duration, error) {
	start := time.Now()
	err := publish(d.Publisher, []batchtest.Record{{Value: []byte(value)}}, start.Add(10*time.Second))[0]
	return time.Since(start), err
}

// sendAll publishes events one after another. Each must be kept within most.
func (d *spooling) sendAll(most time.Duration, values ...string) {
	d.t.Helper()
	for _, v := range values {
		if took, err := d.send(v); err != nil || took > most {
			d.t.Fatalf("%s: %v after %s", v, err, took)
		}
	}
}

// drained waits, on the bubble's clock, until the spool is empty.
func (d *spooling) drained() { d.t.Helper(); d.drainedBut(0) }

// drainedBut waits until only that many events are left, all of which Kafka refuses.
func (d *spooling) drainedBut(refused int64) {
	d.t.Helper()
	for range 10_000 {
		if f := d.spool.Stats(); f.Refused == refused && f.Events == refused && (refused > 0) == (f.Bytes > 0) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	d.t.Fatalf("still in the spool: %+v", d.spool.Stats())
}

// patient is how long an event may take to get to the spool while Kafka is not known to be away.
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
			inSpooling(t, m, func(t *testing.T, d *spooling) {
				want := eventTexts(100)
				d.sendAll(0, want[0])
				m.Down(err)
				d.sendAll(patient, want[1]) // Kafka is not known to be away yet
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
					t.Error("the publisher does not notice without requests that kafka is back")
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

// A batch whose fate is unknown goes to the spool. Replay sends it under another id, so it may be on the topic twice.
func TestSpooledAfterALostAnswer(t *testing.T) {
	for _, stuck := range []time.Duration{stuckAfter, time.Hour} { // with a successor, and without
		m := &brokertest.Memory{}
		inSpooling(t, m, func(t *testing.T, d *spooling) {
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
		}, func(_ *spool.Config, c *Config) { c.StuckAfter = stuck })
	}
}

// Kafka answers nothing. Batches go to the spool well before the deadlines of their requests.
func TestSpooledWhenKafkaIsSilent(t *testing.T) {
	m := &brokertest.Memory{}
	inSpooling(t, m, func(t *testing.T, d *spooling) {
		d.sendAll(0, "first")
		m.Hold = make(chan struct{}) // no lane is at work
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() { d.sendAll(10*time.Second-d.fallback.margin+lastBackoff, fmt.Sprint(i)) })
			synctest.Wait()
		}
		all.Wait()
		m.RefuseIDs(func() error { return context.DeadlineExceeded })
		d.sendAll(d.fallback.attempt+lastBackoff*3/2, "the next") // the longest pause is half as long again
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
	inSpooling(t, m, func(t *testing.T, d *spooling) {
		m.Failing(func() (bool, error) { return false, broker.ErrTooLarge })
		if _, err := d.send("event"); !errors.Is(err, broker.ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		if f := d.spool.Stats(); f != (spool.Stats{}) {
			t.Errorf("in the spool: %+v", f)
		}
	})
}

// A full spool refuses at once, and loses no event that it holds.
func TestSpoolFull(t *testing.T) {
	for want, bound := range map[error]func(*spool.Config, *Config){
		spool.ErrFull: func(c *spool.Config, _ *Config) { c.MaxBytes = 64 << 10 },
		spool.ErrOld:  func(c *spool.Config, _ *Config) { c.MaxAge = time.Second },
	} {
		t.Run(want.Error(), func(t *testing.T) {
			m := &brokertest.Memory{}
			inSpooling(t, m, func(t *testing.T, d *spooling) {
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
				require.Len(t, got, kept+1)
				require.Subset(t, got, []string{"first", "second", "live"})
				require.Less(t, slices.Index(got, "first"), slices.Index(got, "second"))
				require.NotContains(t, got, refused)
			}, bound)
		})
	}
}

// late is a Kafka whose topic does not exist yet.
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

// Records that were spooled before the partitions were known go to the partitions of their keys.
func TestTopicUnknownYet(t *testing.T) {
	m := &late{Memory: &brokertest.Memory{}}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := spoolingTo(t, m, dir)
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
			require.NoError(t, err)
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

// A drain sends batches to the spool at once.
func TestDrainSpools(t *testing.T) {
	m := &brokertest.Memory{}
	inSpooling(t, m, func(t *testing.T, d *spooling) {
		m.Down(brokertest.ErrDown)
		d.fallback.draining.Store(true)
		d.sendAll(lastBackoff, "in flight")
		d.stop()
		m.Up()
		if f := d.spool.Stats(); f.Events != 1 {
			t.Errorf("in the spool: %+v", f)
		}
	})
}

// Events that were spooled before a crash are sent after it, also if the crash comes in the middle of replay.
func TestSpoolOutlivesItsGateway(t *testing.T) {
	m := &brokertest.Memory{}
	dir, crashed, outer := t.TempDir(), "", t
	want := eventTexts(40)
	synctest.Test(t, func(t *testing.T) {
		m.Down(brokertest.ErrDown)
		d := spoolingTo(t, m, dir)
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
		d := spoolingTo(t, m, crashed)
		defer d.stop()
		d.drained()
	})
	if got := m.Values(); !slices.Equal(got, want) {
		t.Errorf("%d of %d came, or in another order", len(got), len(want))
	}
}

// paced is a Kafka that takes its time, and notes when replay sent a batch and how many live batches came.
type paced struct {
	brokertest.Memory
	took    time.Duration
	replays []time.Time
	lives   int        // live events
	noted   sync.Mutex // guards replays and lives
}

func (p *paced) Produce(ctx context.Context, partition int, batch []byte) error {
	if p.took > 0 {
		b, _ := batchtest.Parse(batch)
		p.noted.Lock()
		if strings.HasPrefix(string(b.Read[0].Value), "spooled") {
			p.replays = append(p.replays, time.Now())
		} else {
			p.lives += len(b.Read)
		}
		p.noted.Unlock()
		time.Sleep(p.took)
	}
	return p.Memory.Produce(ctx, partition, batch)
}

// Replay is slower than live traffic, and live traffic does not starve it.
func TestReplayShares(t *testing.T) {
	const took = 100 * time.Millisecond
	for name, clients := range map[string]int{"idle": 0, "busy": 20} {
		t.Run(name, func(t *testing.T) {
			m := &paced{}
			inSpooling(t, m, func(t *testing.T, d *spooling) {
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
				if m.lives < clients*len(m.replays) {
					t.Errorf("%d live events of %d clients beside %d batches of replay", m.lives, clients, len(m.replays))
				}
			})
		})
	}
}

// A record that Kafka refuses does not hold up those behind it, and the spool keeps it.
func TestReplayKeepsRefusedAside(t *testing.T) {
	m := &brokertest.Memory{}
	dir := t.TempDir()
	want := eventTexts(20)
	synctest.Test(t, func(t *testing.T) {
		d := spoolingTo(t, m, dir)
		defer d.stop()
		m.Down(brokertest.ErrDown)
		for i, v := range want {
			if i == 7 {
				d.sendAll(patient, strings.Repeat("large", 1000))
			}
			d.sendAll(patient, v)
		}
		m.SetLimit(3000)
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
	m.SetLimit(0)
	m.Forget()
	synctest.Test(t, func(t *testing.T) { // the operator raised the topic's limit, and gave the file its old name back
		d := spoolingTo(t, m, dir)
		defer d.stop()
		d.drained()
	})
	if got := m.Values(); len(got) != len(want)+1 {
		t.Errorf("%d came", len(got))
	}
}

// eventTexts returns n different values of events.
func eventTexts(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("event %d %s", i, strings.Repeat("x", i%100))
	}
	return out
}

// refusedFiles lists the files of the spool's quarantine.
func refusedFiles(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.refused"))
	require.NoError(t, err)
	return found
}

var errCompacted = fmt.Errorf("%w: %w: a compacted topic", broker.ErrAnswered, broker.ErrRefused)

// A quarantined entry of many records is sent again and again while the topic takes nothing. It stays one file, and its
// records count once.
func TestRefusedEntryStaysOne(t *testing.T) {
	m := &brokertest.Memory{}
	m.Failing(func() (bool, error) { return false, errCompacted })
	dir := t.TempDir()
	const records = 3 * rejectedMost
	var many []batchtest.Record
	for _, v := range eventTexts(records) {
		many = append(many, batchtest.Record{Value: []byte(v)})
	}
	before := spool.New(spool.Config{Dir: dir, MaxBytes: 1 << 30, MaxAge: time.Hour})
	require.NoError(t, before.Open())
	e := spool.Entry{AcceptedAt: time.Now(), Partition: -1, Count: records, Records: batchtest.Run(many...)}
	require.NoError(t, before.Quarantine(e, errCompacted))
	require.NoError(t, before.Close())
	synctest.Test(t, func(t *testing.T) {
		d := spoolingTo(t, m, dir)
		defer d.stop()
		time.Sleep(5*retryRefused + time.Second)
		if f := d.spool.Stats(); f.Refused != records || f.Events != records {
			t.Errorf("%+v", f)
		}
		if n := len(refusedFiles(t, dir)); n != 1 {
			t.Errorf("%d files", n)
		}
		m.Failing(nil)
		time.Sleep(retryRefused + time.Second)
		d.drained()
	})
	if n := len(m.Stored()); n != records {
		t.Errorf("%d records of %d", n, records)
	}
}

// While Kafka refuses everything, the topic is at fault: nothing goes into quarantine. When the topic is right, every
// event is sent.
func TestReplayWaitsWhileKafkaRefusesAll(t *testing.T) {
	m := &brokertest.Memory{}
	dir := t.TempDir()
	want := eventTexts(rejectedMost / 2) // fewer than those after which replay gives up
	synctest.Test(t, func(t *testing.T) {
		d := spoolingTo(t, m, dir)
		defer d.stop()
		m.Down(brokertest.ErrDown)
		d.sendAll(patient, want...)
		m.Up()
		m.Failing(func() (bool, error) { return false, errCompacted })
		time.Sleep(time.Minute) // the bubble's clock
		f := d.spool.Stats()
		assert.Zero(t, f.Refused)
		assert.EqualValues(t, len(want), f.Events)
		assert.Empty(t, refusedFiles(t, dir))
		reason, away := d.Away()
		assert.True(t, away)
		assert.Equal(t, broker.ReasonRefused, reason)
		m.Up()
		d.drained()
	})
	assert.Equal(t, want, m.Values())
}
