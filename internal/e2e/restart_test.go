package e2e

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"
)

var restarts = flag.Int("restarts", 1, "how often TestRollingRestart restarts each consumer")

// grace is how long a consumer may take to end after SIGTERM: the default of --drain-timeout.
const grace = 25 * time.Second

// stopTimed asks a consumer to stop and wants it to end with 0 within its grace time.
func stopTimed(t testing.TB, c *program) time.Duration {
	t.Helper()
	start := time.Now()
	code := c.term()
	took := time.Since(start)
	if code != 0 {
		t.Fatalf("the consumer ended with %d after %s\n%s", code, took, c.output())
	}
	if took > grace {
		t.Errorf("the consumer took %s to end\n%s", took, c.output())
	}
	return took.Round(10 * time.Millisecond)
}

// consumerAsItIs starts a consumer with the settings as they are by default.
func (p *pipeline) consumerAsItIs(flags ...string) *program {
	p.t.Helper()
	return start(p.t, "consumer", append(append(p.kafka(), "--clickhouse-dsn", p.dsn, "--kafka-group", p.name, "--admin-addr", "127.0.0.1:0"), flags...)...)
}

// stored waits until the group has no lag, and wants all events to be there and no record to be two rows. A load that sends
// events again leaves more records than events.
func (p *pipeline) stored(events uint64) {
	p.t.Helper()
	p.within(3*time.Minute, "no lag", func() bool { return p.tryLag() == 0 })
	if rows, offsets := p.scalar("SELECT count() FROM events_raw"), p.scalar("SELECT uniqExact(_partition, _offset) FROM events_raw"); rows != offsets {
		p.t.Errorf("%d rows of %d offsets", rows, offsets)
	}
	if n := p.scalar("SELECT uniqExact(event_id) FROM events_raw"); n != events {
		p.t.Errorf("%d events, want %d", n, events)
	}
}

// TestTermInTime: a consumer is told to stop while records keep coming. It ends with 0 within its grace time, whether ClickHouse answers
// or stands still in the middle of inserts, and afterwards every record is a row, once.
func TestTermInTime(t *testing.T) {
	t.Parallel()
	engine := startEngine(t, engineIn(filepath.Join(t.TempDir(), "clickhouse"), "127.0.0.1:0", "127.0.0.1:0"))
	for _, scenario := range []struct {
		name   string
		before func(t *testing.T)
		after  func(t *testing.T)
	}{
		{name: "clickhouse answers"},
		{name: "clickhouse stands still", before: func(t *testing.T) { t.Helper(); signal(t, engine.PID(), syscall.SIGSTOP) },
			after: func(t *testing.T) { t.Helper(); signal(t, engine.PID(), syscall.SIGCONT) }},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			p := newPipelineOn(t, 12, engine.TCPAddr())
			p.startGateway("127.0.0.1:0")
			c := p.consumerAsItIs()
			load := start(t, "sluice", "load", "--url", p.url, "--key", key,
				"--events", "24000", "--bulk", "50", "--rate", "2400")
			p.eventually("the load under way", func() bool { return p.tryScalar("SELECT count() FROM events_raw") > 2000 })
			if scenario.before != nil {
				scenario.before(t)
				t.Cleanup(func() { scenario.after(t) })
				// Half of what a batch gathers in its age: by then each partition has inserts that nobody answers.
				before := p.records(p.name)
				p.eventually("more records", func() bool { return p.records(p.name) > before+4800 })
			}
			took := stopTimed(t, c)
			if scenario.after != nil {
				scenario.after(t)
			}
			p.consumerAsItIs()
			if code := load.wait(3 * time.Minute); code != 0 {
				t.Fatalf("load ended with %d\n%s", code, load.output())
			}
			p.stored(24000)
			t.Logf("%s: ended after %s", scenario.name, took)
		})
	}
}

func signal(t testing.TB, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

var assigned = regexp.MustCompile(`msg="partitions assigned" generation=(\d+) partitions="?\[([\d ]*)\]`)

// generation is the last generation that a consumer said it is in, and with how many partitions.
func (p *program) generation() (generation, partitions int) {
	all := assigned.FindAllStringSubmatch(p.output(), -1)
	if len(all) == 0 {
		return 0, 0
	}
	last := all[len(all)-1]
	generation, _ = strconv.Atoi(last[1])
	return generation, len(regexp.MustCompile(`\d+`).FindAllString(last[2], -1))
}

// together waits until consumers are in the same generation and share all partitions, and returns it.
func (p *pipeline) together(partitions int, members ...*program) (generation int) {
	p.t.Helper()
	p.within(2*time.Minute, fmt.Sprintf("%d consumers that share %d partitions", len(members), partitions), func() bool {
		shared := 0
		for i, m := range members {
			g, n := m.generation()
			if i == 0 {
				generation = g
			}
			if g != generation || n == 0 {
				return false
			}
			shared += n
		}
		return shared == partitions
	})
	return generation
}

// TestRollingRestart: three consumers are stopped and started again one after the other under load. Nothing is lost or doubled, and
// it is printed what it cost: how long each stop took, and how many generations of the group each restart made.
//
//	go test ./internal/e2e -run TestRollingRestart -v -restarts 3
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	const partitions = 12
	p := newPipeline(t, partitions)
	p.startGateway("127.0.0.1:0")
	members := []*program{p.consumerAsItIs(), p.consumerAsItIs(), p.consumerAsItIs()}
	generation := p.together(partitions, members...)
	load := start(t, "sluice", p.load("--duration", fmt.Sprintf("%ds", 20**restarts), "--bulk", "20", "--rate", "1000")...)
	p.eventually("the load under way", func() bool { return p.scalar("SELECT count() FROM events_raw") > 1000 })
	for range *restarts {
		for i, m := range members {
			took := stopTimed(t, m)
			stopped := time.Now()
			members[i] = p.consumerAsItIs()
			after := p.together(partitions, members...)
			t.Logf("consumer %d: ended after %s, all together again after %s, %d generations", i, took, time.Since(stopped).Round(10*time.Millisecond), after-generation)
			if after-generation > 2 {
				t.Errorf("one restart made %d generations", after-generation)
			}
			generation = after
		}
	}
	if code := load.wait(5 * time.Minute); code != 0 {
		t.Fatalf("load ended with %d\n%s", code, load.output())
	}
	p.stored(p.scalar("SELECT count() FROM events"))
}
