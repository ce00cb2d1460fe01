package e2e

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
)

var kills = flag.Int("kills", 2,
	"how often the consumer is killed at each crash point, and more or less often what else it has to survive")

// The points of the consumer's at which a crash is hardest to survive.
var points = []string{"after_record", "after_insert", "before_commit"}

// events puts n events with ids of their own on a partition.
func (p *pipeline) events(partition, n int) {
	p.t.Helper()
	records := make([]kafka.Record, n)
	for i := range records {
		records[i] = p.event(fmt.Sprintf(
			`{"message":"event %d %s","tags":{"partition":"%d","life":"%d","noise":"%s%s"}}`,
			i, uuid.NewString(), partition, p.sums.life, uuid.NewString(), uuid.NewString()))
	}
	p.produce(partition, records...)
}

func (p *pipeline) event(value string) kafka.Record {
	header := func(name, value string) kafka.Header { return kafka.Header{Key: name, Value: []byte(value)} }
	return kafka.Record{Value: kafka.NewBytes([]byte(value)), Headers: []kafka.Header{
		header("v", "1"), header("project", "e2e"), header("received-at", fmt.Sprint(time.Now().UnixMilli())), header("event-id", uuid.NewString()),
	}}
}

// exactly waits until the group has no lag, and then wants every record to be a row, once.
func (p *pipeline) exactly(want int) {
	p.t.Helper()
	p.within(3*time.Minute, "no lag", func() bool { return p.tryLag() == 0 })
	var rows, offsets, ids uint64
	// A client that is killed can be the end of an embedded engine, which then starts again.
	p.eventually("an answer", func() bool {
		row := p.db.QueryRow(context.Background(),
			"SELECT count(), uniqExact(_partition, _offset, tags['life']), uniqExact(event_id) FROM events_raw")
		return row.Scan(&rows, &offsets, &ids) == nil
	})
	p.sums.records, p.sums.rows, p.sums.offsets = want, rows, offsets
	if n := uint64(want); rows != n || offsets != n || ids != n {
		p.t.Fatalf("%d rows, %d offsets, %d events; want %d of each", rows, offsets, ids, want)
	}
}

// small are flags for many small ranges, so that there are many moments to be killed in.
var small = []string{"--batch-rows", "100", "--flush-age", "50ms", "--inserts-per-second", "1000"}

// A way is how partitions insert: each on its own, or in blocks that they share.
type way struct {
	partitions int
	each       int // events of a partition at a time
	flags      []string
}

// ways are both, with small ranges. The partitions of one consumer share two blocks, or more and smaller ones with
// sharedByFour.
var (
	ways = map[string]way{
		"alone":  {partitions: 2, each: 500, flags: small},
		"shared": {partitions: 8, each: 100, flags: sharedByTwo},
	}
	sharedByAll   = []string{"--batch-rows", "2000", "--flush-age", "50ms", "--inserts-per-second", "20"}
	sharedByTwo   = []string{"--batch-rows", "2000", "--flush-age", "50ms", "--inserts-per-second", "40"}
	sharedByFour  = []string{"--batch-rows", "2000", "--flush-age", "50ms", "--inserts-per-second", "80"}
	sharedByThree = append([]string{"--block-partitions", "3"}, sharedByTwo...)
	sharedByNone  = append([]string{"--block-partitions", "1"}, small...)
)

// variant is how a consumer inserts: as the way says, and where blocks are shared, with other partitions in one block
// each time.
func (w way) variant(n int) []string {
	if w.partitions <= 4 {
		return w.flags
	}
	return [][]string{w.flags, sharedByFour, sharedByThree, sharedByNone}[n%4]
}

// eachWay runs a scenario both ways.
func eachWay(t *testing.T, scenario func(t *testing.T, w way)) {
	t.Helper()
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting for the group to miss the dead
			scenario(t, w)
		})
	}
}

// everywhere puts events on each partition, and returns how many.
func (p *pipeline) everywhere(w way, each int) int {
	p.t.Helper()
	for partition := range w.partitions {
		p.events(partition, each)
	}
	return w.partitions * each
}

// consumerThat starts a consumer that kills or stops itself when it comes to a point for the nth time.
func (p *pipeline) consumerThat(crashpoint string, flags ...string) *program {
	p.t.Helper()
	return startWith(p.t, []string{"CRASHPOINT=" + crashpoint}, "consumer", append(append(p.kafka(),
		"--clickhouse-dsn", p.dsn, "--kafka-group", p.name, "--admin-addr", "127.0.0.1:0"), flags...)...)
}

// TestCrashPoints: the consumer is killed at each point, again and again. Every record is a row, once.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, w way) { crashAt(t, point, w) })
		})
	}
}

// crashAt kills a consumer at a point. Who shares blocks with whom changes from kill to kill. Every third time another
// consumer has half of the partitions and takes the others over. Every fourth time the group waits for the session of
// the dead to end; the other times the next owner begins at once.
func crashAt(t *testing.T, point string, w way) {
	t.Helper()
	p := newPipelineThatKills(t, w.partitions)
	produced, open := 0, 0
	for kill := range *kills {
		c := p.consumerThat(fmt.Sprintf("%s:%d", point, 1+rand.IntN(2*w.partitions)), w.variant(kill/2)...)
		c.says(`msg="partitions assigned"`)
		var other *program
		if kill%3 == 2 {
			other = p.consumerThat("never:0", w.variant(kill/2+1)...)
		}
		produced += p.everywhere(w, w.each+rand.IntN(w.each))
		p.within(2*time.Minute, "the crash", func() bool {
			select {
			case <-c.done:
				return true
			default:
				produced += p.everywhere(w, 1) // there is always something more to do
				return false
			}
		})
		p.sums.kills++
		if p.openBlocks() > 0 {
			open++
		}
		if kill%4 > 0 {
			p.evict()
		}
		if other != nil {
			other.says(`msg="partitions assigned".*partitions="?\[` + allOf(w.partitions))
			other.kill()
			p.sums.kills++
			p.evict()
		}
		if kill%5 == 4 { // partitions with a backlog share no blocks
			c := p.startConsumer(w.flags...)
			p.exactly(produced)
			c.kill()
			p.sums.kills++
			p.evict()
		}
		p.progress("kill %d of %d, %d records; %d left shared blocks open", kill+1, *kills, produced, open)
	}
	p.startConsumer(w.flags...)
	p.exactly(produced)
	if w.partitions > 4 && *kills >= 10 && open < *kills/4 {
		t.Errorf("%d of %d kills left shared blocks open: the test does not test them", open, *kills)
	}
}

// TestZombies: the consumer is stopped at each point for longer than the group waits for it, another takes over and
// finishes, and then the first goes on where it was.
func TestZombies(t *testing.T) {
	t.Parallel()
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, w way) { stopAt(t, point, w) })
		})
	}
}

func stopAt(t *testing.T, point string, w way) {
	t.Helper()
	p := newPipelineThatKills(t, w.partitions)
	produced := 0
	for round := range max(1, *kills/10) {
		produced += p.everywhere(w, 2*w.each)
		zombie := p.consumerThat(point+":3:STOP", w.flags...)
		p.eventually("the consumer stopped", func() bool {
			if zombie.stopped() {
				return true
			}
			produced += p.everywhere(w, 1)
			return false
		})
		if round > 0 { // else the group waits until its session ends
			p.evict()
		}
		next := p.consumerThat("never:0", w.variant(round+1)...)
		p.exactly(produced)
		zombie.wakes()
		produced += p.everywhere(w, w.each)
		p.exactly(produced)
		p.progress("zombie %d of %d, %d records", round+1, max(1, *kills/10), produced)
		if round+1 < *kills/10 {
			for _, c := range []*program{zombie, next} {
				if code := c.term(); code != 0 {
					t.Fatalf("a consumer ended with %d", code)
				}
			}
		}
	}
}

// TestLostAnswers: ClickHouse has the rows and the consumer never hears of it.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, w way) {
		p := newPipelineThatKills(t, w.partitions)
		between := newCutter(t, engineOfKillers(t).TCPAddr())
		c := p.consumerThat("never:0", append([]string{"--clickhouse-dsn", "clickhouse://" + between.addr() + "/" + p.name}, w.flags...)...)
		c.says(`msg="partitions assigned"`)
		produced := 0
		for range 15 {
			between.arm()
			produced += p.everywhere(w, 150)
			p.eventually("an answer was cut off", func() bool { return !between.armed.Load() })
		}
		p.exactly(produced)
		if between.cuts.Load() < 15 {
			t.Errorf("%d answers were cut off", between.cuts.Load())
		}
	})
}

// TestRebalanceStorm: consumers come and go every few seconds, some of them killed.
func TestRebalanceStorm(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, w way) {
		p := newPipelineThatKills(t, w.partitions)
		produced := 0
		running := []*program{p.consumerThat("never:0", w.flags...)}
		running[0].says(`msg="partitions assigned"`) // before that, SIGTERM may end it at once
		flags := [][]string{w.flags, w.flags, w.flags}
		if w.partitions > 4 { // who shares with whom changes each time
			flags = [][]string{sharedByFour, small, w.flags}
		}
		rounds := max(6, *kills/2)
		for round := range rounds {
			produced += p.everywhere(w, 400)
			c := p.consumerThat("never:0", flags[round%3]...)
			c.says(`msg="partitions assigned"`)
			running = append(running, c)
			first := running[0]
			running = running[1:]
			if round%5 == 2 {
				first.kill()
				p.sums.kills++
			} else if code := first.term(); code != 0 {
				t.Fatalf("a consumer ended with %d", code)
			}
			p.progress("storm, round %d of %d, %d records", round+1, rounds, produced)
		}
		p.exactly(produced)
	})
}

// TestTopicMadeAnew: a topic is deleted and made again under its name, so that its offsets begin again. New events are
// not taken for old ones, whether or not the consumer runs at that time.
func TestTopicMadeAnew(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, w way) {
		p := newPipeline(t, w.partitions)
		p.exempt.otherLives = true
		c := p.startConsumer(w.flags...)
		produced := p.everywhere(w, w.each)
		p.exactly(produced)
		if code := c.term(); code != 0 {
			t.Fatalf("the consumer ended with %d", code)
		}
		p.makeAnew(w.partitions)
		produced += p.everywhere(w, w.each) // the same offsets, in the same ranges
		p.startConsumer(w.flags...)
		arrived := func() bool { return p.scalar("SELECT uniqExact(event_id) FROM events_raw") >= uint64(produced) }
		p.within(4*time.Minute, "the new events", arrived)
		p.exactly(produced)
		p.makeAnew(w.partitions)
		produced += p.everywhere(w, w.each/3)
		p.within(4*time.Minute, "the events after that", arrived)
		p.exactly(produced)
	})
}

// makeAnew deletes the topic and creates another one under its name.
func (p *pipeline) makeAnew(partitions int) {
	p.t.Helper()
	_, err := p.client().DeleteTopics(p.t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{p.name}})
	if err != nil {
		p.t.Fatal(err)
	}
	p.sums.life++
	p.eventually("the topic made anew", func() bool {
		code, _ := runs(p.t, "sluice", append([]string{"topics", "apply", "--replication", "1", "--min-isr", "1",
			"--partitions", fmt.Sprint(partitions)}, p.kafka()...)...)
		if code != 0 {
			return false
		}
		ends, err := p.tryEnds(p.name)
		for _, end := range ends {
			if end != 0 {
				return false
			}
		}
		return err == nil && len(ends) == partitions
	})
}

// TestOnlyClickHouseRefuses: of ten thousand rows one is refused by the table. It becomes a dead letter, the others
// rows.
func TestOnlyClickHouseRefuses(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	if err := p.db.Exec(t.Context(), "ALTER TABLE events_raw ADD COLUMN number UInt64 MATERIALIZED toUInt64(if(startsWith(message, 'poison'), message, '0'))"); err != nil {
		t.Fatal(err)
	}
	p.events(0, 6123)
	p.produce(0, p.event(`{"message":"poison"}`))
	p.events(0, 3876)
	p.startConsumer("--flush-age", "1s")
	p.exactly(9999)
	if n := p.records(p.name + ".dead"); n != 1 {
		t.Fatalf("%d dead letters, want 1", n)
	}
	letter := p.deadLetter()
	for name, want := range map[string]string{
		"dead-reason": "refused_by_clickhouse", "dead-topic": p.name, "dead-partition": "0", "dead-offset": "6123", "project": "e2e",
	} {
		if letter[name] != want {
			t.Errorf("%s is %q, want %q", name, letter[name], want)
		}
	}
	if letter[""] != `{"message":"poison"}` || !strings.Contains(letter["dead-error"], "Cannot parse") {
		t.Errorf("value %q, error %q", letter[""], letter["dead-error"])
	}
}

// deadLetter reads the first one: its headers, and its value under no name.
func (p *pipeline) deadLetter() map[string]string {
	p.t.Helper()
	out := map[string]string{}
	for partition, end := range p.ends(p.name + ".dead") {
		if end == 0 {
			continue
		}
		resp, err := p.client().Fetch(p.t.Context(), &kafka.FetchRequest{Topic: p.name + ".dead", Partition: partition, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 5 * time.Second})
		if err != nil {
			p.t.Fatal(err)
		}
		r, err := resp.Records.ReadRecord()
		if err != nil {
			p.t.Fatal(err)
		}
		value, err := kafka.ReadAll(r.Value)
		if err != nil {
			p.t.Fatal(err)
		}
		out[""] = string(value)
		for _, h := range r.Headers {
			out[h.Key] = string(h.Value)
		}
	}
	return out
}

// TestEngineKilledDuringInserts: ClickHouse is killed again and again while there are inserts under way.
func TestEngineKilledDuringInserts(t *testing.T) {
	t.Parallel()
	eachWay(t, killEngineDuringInserts)
}

func killEngineDuringInserts(t *testing.T, w way) {
	t.Helper()
	cfg := engineIn(filepath.Join(t.TempDir(), "clickhouse"), "127.0.0.1:0", "127.0.0.1:0")
	cfg.Restart = true
	engine := startEngine(t, cfg)
	p := newPipelineOn(t, w.partitions, engine.TCPAddr())
	p.startConsumer(w.flags...)
	produced := 0
	for range 4 {
		// Counted before: the consumer may have inserted all of the new ones at once.
		floor := p.tryScalar("SELECT count() FROM events_raw") + uint64(rand.IntN(2*w.each))
		produced += p.everywhere(w, 4*w.each)
		p.eventually("inserts under way", func() bool { return p.tryScalar("SELECT count() FROM events_raw") >= floor })
		old := engine.PID()
		kill(t, old)
		p.eventually("the engine back", func() bool { pid := engine.PID(); return pid != 0 && pid != old })
	}
	p.exactly(produced)
}
