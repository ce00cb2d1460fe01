package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/consumer/blocking"
	"sluice/consumer/observed"
)

// seconds is the value of sluice_consumer_lag_seconds.
func (w *worker) seconds() float64 { return testutil.ToFloat64(w.metrics.lags) }

// wantSeconds compares the lag, to the second.
func (w *worker) wantSeconds(what string, want float64) {
	w.t.Helper()
	if got := w.seconds(); got < want-1 || got > want+1 {
		w.t.Errorf("%s: the lag is %v s, want %v", what, got, want)
	}
}

// With ClickHouse away the age of the oldest record grows, whether records come or not. When all records are in, the
// lag is 0.
func TestLagSecondsGrowWhileClickHouseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.start()
		pass(time.Hour)
		w.wantSeconds("idle", 0)
		w.table.inserts.change(fails)
		w.topic.add(1)
		for _, s := range []float64{2, 30, 84} {
			pass(time.Duration(s)*time.Second - time.Duration(w.seconds()*float64(time.Second)))
			w.wantSeconds("away", s)
			w.topic.add(100) // what comes later changes nothing
		}
		w.table.inserts.change(succeeds)
		pass(30 * time.Second)
		w.wantSeconds("all is in", 0)
		pass(time.Hour)
		w.wantSeconds("idle again", 0)
		if got := w.seconds(); got != 0 {
			t.Errorf("idle: %v s", got)
		}
	})
}

// The lag is 0 when the rows are in, even if Kafka refuses the commit.
func TestLagSecondsDoNotWaitForTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.start()
		w.topic.add(1)
		pass(1500 * time.Millisecond)
		w.topic.commits.change(fails)
		pass(time.Minute)
		if got := w.seconds(); got != 0 {
			t.Errorf("the lag is %v s", got)
		}
	})
}

// A consumer that starts after an hour, with ClickHouse away, fetches the oldest record to learn its age.
func TestLagSecondsOfABacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(20)
		pass(time.Hour)
		w.table.reads = always(fails)
		w.start()
		w.wantSeconds("not known yet", 0)
		observed.AskLag(t.Context(), w.topic, 0, w.partition.lag)
		w.wantSeconds("looked up", 3600)
		pass(time.Minute)
		w.wantSeconds("a minute later", 3660)
		w.table.reads.change(succeeds)
		pass(time.Minute)
		w.wantSeconds("all is in", 0)
	})
}

// Whatever the clocks of brokers and producers say, an age is not negative, not of years, and grows.
func TestLagSecondsWithWrongClocks(t *testing.T) {
	for name, off := range map[string]time.Duration{"ten years ahead": 10 * 365 * 24 * time.Hour, "1970": -56 * 365 * 24 * time.Hour, "an hour ago": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.start()
				pass(time.Minute)
				w.table.inserts.change(fails)
				r := plain(0)
				r.Timestamp = max(1, time.Now().Add(off).UnixMilli())
				w.topic.put(r)
				pass(10 * time.Second)
				w.wantSeconds("away", 10)
			})
		})
	}
}

// With Kafka away, the gauge says so, the lag stays and grows older, within the generation and after its end, and the
// ends that other brokers tell count.
func TestLagWhileKafkaIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(4)
		w.start()
		pass(5 * time.Second)
		w.table.inserts.change(fails)
		w.topic.add(3)
		pass(2 * time.Second)
		w.topic.fetches.change(fails)
		pass(10 * time.Second)
		if got := w.blocked(blocking.Kafka); got != 1 {
			t.Errorf("blocked by kafka is %v", got)
		}
		if got := w.lag(); got != 3 {
			t.Errorf("lag %v, want 3", got)
		}
		w.wantSeconds("kafka is away", 12)
		w.stop() // which waits for the insert under way
		pass(time.Minute - drainBudget)
		if got := w.lag(); got != 3 {
			t.Errorf("lag %v after the generation, want 3", got)
		}
		w.wantSeconds("after the generation", 72)
		w.topic.add(2)
		observed.AskLag(t.Context(), w.topic, 0, w.partition.lag)
		if got := w.lag(); got != 5 {
			t.Errorf("lag %v, want 5", got)
		}
		w.metrics.lags.Keep("events", []int{1, 2})
		if n := testutil.CollectAndCount(w.metrics.lags.Gauge); n != 0 || w.seconds() != 0 {
			t.Errorf("%d lags and %v s of a partition that is another's", n, w.seconds())
		}
	})
}

// Records that were never read, because their leader went away, age from the moment when everything had been read.
func TestLagSecondsOfWhatWasNeverRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(1)
		w.start()
		pass(time.Hour)
		w.topic.fetches.change(fails)
		pass(fetchWait) // the fetch that waits already ends
		w.topic.add(5)
		pass(time.Minute)
		observed.AskLag(t.Context(), w.topic, 0, w.partition.lag)
		w.wantSeconds("not read", 60)
		w.topic.fetches.change(succeeds)
		pass(time.Minute)
		w.wantSeconds("read", 0)
	})
}

// Each way in which Kafka fails a partition counts while it lasts, and not longer.
func TestBlockedByKafka(t *testing.T) {
	for name, fail := range map[string]func(*worker) *plan{
		"the committed offset": func(w *worker) *plan { w.topic.looks = always(fails); return w.topic.looks },
		"the bounds, with nothing committed": func(w *worker) *plan {
			w.topic.head = -1
			w.topic.firsts = always(fails)
			return w.topic.firsts
		},
		"fetches": func(w *worker) *plan { w.topic.fetches = always(fails); return w.topic.fetches },
		"commits": func(w *worker) *plan { w.topic.commits = always(fails); return w.topic.commits },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.add(1)
				plan := fail(w)
				w.start()
				pass(5 * time.Second)
				if got := w.blocked(blocking.Kafka); got != 1 {
					t.Errorf("blocked by kafka is %v", got)
				}
				if err := w.watch.Fault(1); err != nil {
					t.Errorf("not alive: %v", err)
				}
				plan.change(succeeds)
				pass(time.Minute)
				if got := w.blocked(blocking.Kafka); got != 0 {
					t.Errorf("blocked by kafka is %v after all came back", got)
				}
			})
		})
	}
}

// A leader that takes a fetch and does not answer counts as away. A fetch whose records wait for ClickHouse does not.
func TestBlockedByALeaderThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.stuck = make(chan struct{})
		w.start()
		pass(fetchWait + observed.Hangs - time.Millisecond)
		if got := w.blocked(blocking.Kafka); got != 0 {
			t.Errorf("blocked by kafka is %v too early", got)
		}
		pass(time.Millisecond)
		if got := w.blocked(blocking.Kafka); got != 1 {
			t.Errorf("blocked by kafka is %v", got)
		}
		close(w.topic.stuck)
		w.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(500)
		w.start()
		pass(time.Hour)
		if got := w.blocked(blocking.Kafka); got != 0 {
			t.Errorf("blocked by kafka is %v while ClickHouse is away", got)
		}
	})
}

// Only Kafka's answers count as failures of Kafka.
func TestOutageHeedsKafkaAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(3)
		w.start()
		for most := range 2 {
			answer, err := w.kafka.Fetch(t.Context(), 0, 0, fetchWait)
			if err != nil {
				t.Errorf("error %v", err)
			}
			for range answer.Records { // left early, or read to the end
				if most == 0 {
					break
				}
			}
			if got := w.blocked(blocking.Kafka); got != 0 {
				t.Errorf("blocked by kafka is %v", got)
			}
		}
	})
}

// A group that has committed nothing begins at the oldest record: removed records before it are no lag.
func TestLagOfAGroupWithoutOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.head = -1
		w.topic.expire(5000)
		w.start()
		pass(time.Minute)
		if got := w.lag(); got != 0 {
			t.Errorf("a lag of %v with nothing on the topic", got)
		}
	})
}
