package e2e

import (
	"context"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// An operator's day with `sluice topics apply`: what is not given stays as somebody made it, and what removes records needs a flag.
func TestTopicsApplyAsAnOperator(t *testing.T) {
	t.Parallel()
	p := newPipelineWith(t, lab.engine.TCPAddr(), "--replication", "1", "--min-isr", "1", "--partitions", "3", "--topic-retention", "30d")
	p.settled = true // no consumer reads them
	both := []string{p.name, p.name + ".dead"}
	apply := func(wantCode int, flags ...string) (said string) {
		t.Helper()
		code, said := runs(t, "sluice", append(append([]string{"topics", "apply"}, p.kafka()...), flags...)...)
		if code != wantCode {
			t.Fatalf("topics apply %v: %d, want %d:\n%s", flags, code, wantCode, said)
		}
		return said
	}
	// A broker of Apache Kafka answers with the new setting a moment after the change.
	kept := func(topic string, retention time.Duration) {
		t.Helper()
		want := strconv.FormatInt(retention.Milliseconds(), 10)
		p.eventually(topic+": retention.ms is "+want, func() bool { return p.configs(topic)["retention.ms"] == want })
	}
	is := func(topic string, partitions int, retention time.Duration, batchBytes int) {
		t.Helper()
		kept(topic, retention)
		configs := p.configs(topic)
		if n := len(p.ends(topic)); n != partitions {
			t.Errorf("%s has %d partitions, want %d", topic, n, partitions)
		}
		if got, want := configs["retention.ms"], strconv.FormatInt(retention.Milliseconds(), 10); got != want {
			t.Errorf("%s: retention.ms is %s, want %s", topic, got, want)
		}
		if got, want := configs["max.message.bytes"], strconv.Itoa(batchBytes); got != want {
			t.Errorf("%s: max.message.bytes is %s, want %s", topic, got, want)
		}
		if got := configs["message.timestamp.type"]; topic == p.name && got != "CreateTime" {
			t.Errorf("%s: message.timestamp.type is %s", topic, got)
		}
	}
	month, week := 30*24*time.Hour, 7*24*time.Hour
	events := func(retention time.Duration) { t.Helper(); is(p.name, 5, retention, 3<<20) }
	dead := func(retention time.Duration) { t.Helper(); is(p.name+".dead", 3, retention, 4<<20) }

	p.configure(p.name, "max.message.bytes", strconv.Itoa(3<<20))
	p.configure(p.name, "message.timestamp.type", "CreateTime")
	p.addPartitions(p.name, 5)
	p.produceAt(time.Now().Add(-10*24*time.Hour), 10)
	p.produceAt(time.Now(), 10)
	apply(0)
	events(month)
	dead(month)
	apply(0, "--topic-retention", "30d") // no shorter than it is
	events(month)

	// Nothing of what is refused is done, not even what comes with it.
	gone := regexp.MustCompile(`topic ` + p.name + `: a shorter retention removes events: about 10 of 20 records, about 1\.0 MB in each copy, .*--allow-removal`)
	for _, flags := range [][]string{{}, {"--partitions", "9"}, {"--fix"}, {"--dry-run"}, {"--allow-less-safety"}} {
		said := apply(1, append(flags, "--topic-retention", "7d")...)
		if !strings.Contains(said, "nothing was changed") || !gone.MatchString(said) {
			t.Errorf("with %v it said:\n%s", flags, said)
		}
		events(month)
		dead(month)
	}
	if said := apply(1, "--topic-retention", "719h"); !strings.Contains(said, "about 0 of 20 records") || !strings.Contains(said, "--allow-removal") {
		t.Errorf("for an hour less it said:\n%s", said)
	}
	events(month)
	if n := p.records(p.name); n != 20 {
		t.Errorf("%d records, want 20", n)
	}

	apply(0, "--topic-retention", "7d", "--allow-removal")
	events(week)
	dead(week)
	apply(0)
	events(week)
	apply(0, "--topic-retention", "8d") // a longer one needs no flag
	for _, topic := range both {
		kept(topic, 8*24*time.Hour)
	}
}

// A developer starts `sluice dev` beside a pipeline at work, on its Kafka and its ClickHouse, and with its settings in the environment. The
// pipeline gets all of its events, and nobody but its consumer is given a partition of its group.
func TestDevBesideAPipeline(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 6)
	p.startGateway("127.0.0.1:0")
	c := p.startConsumer()
	clients := p.send(4)
	p.eventually("the pipeline at work", func() bool { return p.scalar("SELECT count() FROM events") > 100 })

	theirs := []string{
		"SLUICE_KAFKA_TOPIC=" + p.name, "SLUICE_KAFKA_DEAD_TOPIC=" + p.name + ".dead", "SLUICE_KAFKA_GROUP=" + p.name,
		"SLUICE_CLICKHOUSE_DSN=" + p.dsn, "SLUICE_PROJECTS_FILE=" + p.projects,
	}
	d, url := p.startDev(theirs, "--kafka", lab.brokers, "--clickhouse", "clickhouse://"+lab.engine.TCPAddr())
	for _, setting := range theirs {
		name, _, _ := strings.Cut(setting, "=")
		d.says(`sluice dev ignores this setting of the real programs; set it as a flag to use it" setting="environment variable ` + name)
	}
	var before, during int64 = clients.accepted.Load(), 500
	const own = 20
	for range own {
		if a := postAs(t, "dev-key", url+"/api/v1/events", "application/json", `{"message":"of dev"}`); a.status != 202 {
			t.Fatalf("dev answered %d (%s)", a.status, a.Code)
		}
	}
	p.eventually("dev's own rows", func() bool { return p.scalar("SELECT count() FROM sluice_dev.events") >= own })
	p.eventually("more events beside dev", func() bool { return clients.accepted.Load() >= before+during })
	if n := p.members(); n != 1 {
		t.Errorf("the pipeline's group has %d members", n)
	}
	if code := d.term(); code != 0 {
		t.Errorf("dev ended with %d", code)
	}

	clients.stop()
	p.eventually("no lag", func() bool { return p.tryLag() == 0 })
	clients.verify()
	if n := len(regexp.MustCompile(`msg="partitions assigned"`).FindAllString(c.output(), -1)); n != 1 {
		t.Errorf("the pipeline's consumer was given partitions %d times, and dev said:\n%s", n, d.output())
	}
	if n := p.scalar("SELECT count() FROM events WHERE message = 'of dev'"); n != 0 {
		t.Errorf("%d of dev's events are the pipeline's", n)
	}
	if n := p.scalar("SELECT count() FROM sluice_dev.events"); n != own {
		t.Errorf("dev has %d rows, want %d", n, own)
	}
}

// Brokers that the environment names are the real programs': sluice dev does not take them from there.
func TestDevRefusesBrokersOfTheEnvironment(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	d := startWith(t, []string{"SLUICE_KAFKA_BROKERS=" + lab.brokers}, "sluice", devFlags("--data-dir", data)...)
	if code := d.wait(time.Minute); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	want := "environment variable SLUICE_KAFKA_BROKERS is set, but sluice dev uses only the servers and files named on its command line"
	if said := d.output(); !strings.Contains(said, want) || !strings.Contains(said, "--kafka") {
		t.Errorf("it said:\n%s", said)
	}
	if there, err := filepath.Glob(data); err != nil || len(there) > 0 {
		t.Errorf("it made %v, %v", there, err)
	}
}

// devFlags are a `sluice dev` on free ports.
func devFlags(flags ...string) []string {
	return append([]string{
		"dev", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--consumer-admin-addr", "127.0.0.1:0", "--flush-age", "200ms",
	}, flags...)
}

// startDev starts a `sluice dev` on the scenario's Kafka and ClickHouse, with the names that it gives to its own. It is refused where these
// names are taken; otherwise it made what has them, which is removed in the end.
func (p *pipeline) startDev(env []string, flags ...string) (d *program, url string) {
	p.t.Helper()
	var removals []func(context.Context) error
	p.t.Cleanup(func() { // after the program was stopped
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for _, remove := range removals {
			if err := remove(ctx); err != nil {
				p.t.Error(err)
			}
		}
	})
	d = startWith(p.t, env, "sluice", devFlags(append(flags, "--data-dir", p.t.TempDir())...)...)
	d.says(`dev-events: created with`)
	removals = append(removals,
		func(ctx context.Context) error {
			_, err := p.client().DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{"dev-events", "dev-events.dead"}})
			return err
		},
		func(ctx context.Context) error { return p.db.Exec(ctx, "DROP DATABASE IF EXISTS sluice_dev SYNC") },
	)
	d.says(`^ready in`)
	return d, "http://" + d.says(`msg="gateway serves" addr=(\S+)`)
}
