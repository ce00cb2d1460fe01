package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/consumer/audit"
)

// audit makes an audit, and wants an exit code. While the engine starts again, nothing can be checked, which is exit
// code 2.
func (p *pipeline) audit(wantCode int, flags ...string) (said string) {
	p.t.Helper()
	code := 0
	p.eventually("an audit that can check", func() bool {
		code, said = runs(p.t, "sluice", append(append([]string{"audit"}, p.kafka()...), append(flags,
			"--clickhouse-dsn", p.dsn, "--kafka-group", p.name, "--second-look", "10ms")...)...)
		return code != 2 || wantCode == 2
	})
	require.Equal(p.t, wantCode, code, said)
	return said
}

// audited is the report of an audit.
func (p *pipeline) audited(wantCode int, flags ...string) (report audit.Report) {
	p.t.Helper()
	said := p.audit(wantCode, append(flags, "--json")...)
	require.NoError(p.t, json.NewDecoder(bytes.NewReader([]byte(said))).Decode(&report), said)
	return report
}

// eventOf is a record of an event with an id, and more headers.
func (p *pipeline) eventOf(id uuid.UUID, value string, more ...kafka.Header) kafka.Record {
	r := p.event(value)
	r.Headers[3].Value = []byte(id.String())
	r.Headers = append(r.Headers, more...)
	return r
}

// sampled returns an id that a consumer with --sample 0.5 keeps, or drops.
func sampled(keep bool) uuid.UUID {
	for {
		if id := uuid.Must(uuid.NewV7()); xxhash.Sum64(id[:]) < 1<<63 == keep {
			return id
		}
	}
}

// TestAudit: everything that can become of a record is on two partitions, and the audit's sums are exact. When a row is
// then deleted by hand, the audit names its partition and offset.
func TestAudit(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 2)
	said := p.audit(2)
	assert.Contains(t, said, "has committed no offset")

	c := p.startConsumer("--sample", "0.5")
	keep := func(partition, n int, what string) {
		t.Helper()
		for range n {
			p.produce(partition, p.eventOf(sampled(true), `{"message":"`+what+`"}`))
		}
	}
	keep(0, 2, "before the gap")
	p.eventually("no lag", func() bool { return p.tryLag() == 0 })
	require.Zero(t, c.term())
	keep(0, 3, "removed before it is read")
	p.deleteBefore(0, 5)
	kept, first := sampled(true), sampled(true)
	p.produce(0, p.eventOf(first, `{"message":"after the gap"}`), p.eventOf(sampled(false), `{"message":"dropped"}`),
		p.eventOf(kept, `{"message":"after the gap"}`), p.eventOf(sampled(false), `{"message":"dropped"}`))
	c = p.startConsumer("--sample", "0.5")
	resent, victim := sampled(true), sampled(true)
	p.produce(1, // in one range
		p.eventOf(resent, `{"message":"resent"}`),
		p.eventOf(sampled(false), `{"message":"dropped"}`),
		p.eventOf(sampled(true), `{"message":`),
		p.eventOf(victim, `{"message":"to be deleted"}`),
		p.eventOf(sampled(false), `{"message":"dropped"}`),
	)
	p.eventually("no lag", func() bool { return p.tryLag() == 0 })
	p.produce(1, p.eventOf(resent, `{"message":"resent"}`))
	w := p.other(kgo.TransactionalID(p.name))
	for i := range 2 { // one that is aborted, and one that is not
		require.NoError(t, w.BeginTransaction())
		r := p.record()
		r.Partition = 1
		id := sampled(true)
		r.Headers[2].Value = []byte(id.String())
		require.NoError(t, w.ProduceSync(t.Context(), r).FirstErr())
		require.NoError(t, w.EndTransaction(t.Context(), kgo.TransactionEndTry(i == 1)))
	}
	p.startGateway("127.0.0.1:0")
	require.Equal(t, 400, p.post("/api/v1/events", "application/json", `{"level":"info"}`).status)
	require.Zero(t, p.gateway.term(), "it publishes what it counted")
	p.eventually("no lag", func() bool { return p.tryLag() == 0 })
	require.NoError(t, p.db.Exec(t.Context(), "OPTIMIZE TABLE events_raw FINAL"))
	require.Zero(t, c.term())
	keep(1, 3, "waits")
	last := sampled(true)
	p.produce(1, p.eventOf(last, `{"message":"waits"}`))

	report := p.audited(0)
	assert.Equal(t, audit.Account{
		Partition: 0, From: 2, Head: report.Accounts[0].Head, End: report.Accounts[0].End, Empty: report.Accounts[0].Empty,
		Records: 7 + report.Accounts[0].Counts, Rows: 2, Gaps: 3, Dropped: 2, Counts: report.Accounts[0].Counts,
	}, report.Accounts[0])
	one := report.Accounts[1]
	assert.Equal(t, audit.Account{
		Partition: 1, From: 0, Head: one.Head, End: one.Head + 4, Records: 11 + one.Counts, Rows: 3, Merged: 1,
		DeadLetters: 1, Counts: one.Counts, Dropped: 2, Lag: 4, Empty: 3,
	}, one)
	assert.EqualValues(t, 1, report.Total.Counts, "the gateway's record is on either partition")
	assert.Equal(t, one.End-one.Empty, one.Records, "as many as the topic has")
	assert.Empty(t, report.Warnings)
	text := p.audit(0)
	assert.Contains(t, text, "0 records are unaccounted for, of 19")
	p.conserved()
	// Dropped records and gaps need no look where they explain all that is missing in their range, as on partition 0.
	looks := one.Head - one.Rows
	for n, wantCode := range map[int64]int{looks - 1: 2, looks: 0, looks + 1: 0} {
		assert.Equal(t, max(0, looks-n), p.audited(wantCode, "--max-lookups", fmt.Sprint(n)).Total.Unchecked)
	}
	unlooked := p.audited(2, "--max-lookups", "0").Accounts[0]
	assert.EqualValues(t, 2, unlooked.Dropped)
	assert.EqualValues(t, 3, unlooked.Gaps)
	assert.Equal(t, report.Accounts[0].Counts, unlooked.Unchecked)

	remove := func(id uuid.UUID) {
		t.Helper()
		require.NoError(t, p.db.Exec(t.Context(), "DELETE FROM events_raw WHERE event_id = '"+id.String()+"'"))
	}
	remove(victim)
	report = p.audited(1)
	one = report.Accounts[1]
	assert.EqualValues(t, 1, one.Unaccounted)
	assert.EqualValues(t, 19, report.Total.Records)
	assert.Contains(t, one.Missing, audit.Missing{Offset: 3, Project: "e2e", EventID: victim.String()})
	assert.Len(t, one.Missing, 3, "the events that were dropped from its range may be the ones that are missing")
	text = p.audit(1)
	assert.Contains(t, text, "partition 1: 1 record is unaccounted for, among")
	assert.Contains(t, text, "offset 3, event \""+victim.String())

	remove(resent) // it stood for two records
	report = p.audited(1)
	assert.EqualValues(t, 3, report.Total.Unaccounted)
	assert.Zero(t, report.Total.Merged)
	assert.Contains(t, p.audit(2, "--max-lookups", "0"), "raise --max-lookups")

	watch := start(t, "sluice", append(append([]string{"audit"}, p.kafka()...), "--clickhouse-dsn", p.dsn, "--kafka-group", p.name,
		"--every", "100ms", "--second-look", "0s", "--admin-addr", "127.0.0.1:0")...)
	watch.says(`level=ERROR msg="records are unaccounted for" partition=1 records=3`)
	require.Zero(t, watch.term())
	assert.Equal(t, 1, strings.Count(watch.output(), "unaccounted for"), "a line when the result changes, no other")

	// The records are still on Kafka: a consumer that reads them again puts their rows back.
	p.reset(1, 0)
	c = p.startConsumer("--sample", "0.5")
	p.eventually("no lag", func() bool { return p.tryLag() == 0 })
	require.Zero(t, c.term())
	report = p.audited(0)
	assert.EqualValues(t, 19, report.Total.Records)
	assert.EqualValues(t, 1, p.scalar("SELECT count() FROM events WHERE event_id = '"+victim.String()+"'"))

	// What was dropped is counted twice now. So a missing record may be a dropped one, which the audit says.
	remove(last)
	report = p.audited(0)
	assert.EqualValues(t, 3, report.Accounts[1].Dropped)
	require.Len(t, report.Warnings, 1)
	// The range ends where the consumer happened to end a batch.
	assert.Regexp(t, "^partition 1: 1 records from offset 0 to 1[34] count as dropped, and may be missing", report.Warnings[0])

	// A row that is there twice does not stand in for one that is missing.
	require.NoError(t, p.db.Exec(t.Context(), "INSERT INTO events_raw (project_id, event_id, id_time, received_at, _topic, "+
		"_partition, _offset) SELECT project_id, generateUUIDv4(), id_time, received_at, _topic, _partition, _offset "+
		"FROM events_raw WHERE event_id = '"+first.String()+"'"))
	remove(kept)
	report = p.audited(1)
	assert.EqualValues(t, 1, report.Accounts[0].Doubled)
	assert.EqualValues(t, 1, report.Accounts[0].Unaccounted)
	assert.Contains(t, report.Accounts[0].Missing, audit.Missing{Offset: 7, Project: "e2e", EventID: kept.String()})
}

// TestAuditAfterKillingEverything: broker, gateway, consumer and ClickHouse are killed together under load, and started
// again. The audit accounts for every record, and then finds the row that is deleted by hand.
func TestAuditAfterKillingEverything(t *testing.T) {
	t.Parallel()
	addrs := []string{
		"--http-addr", free(t), "--kafka-addr", free(t), "--clickhouse-addr", free(t), "--clickhouse-http-addr", free(t),
	}
	dir := t.TempDir()
	dev := func() *program {
		d := start(t, "sluice", append(append([]string{"dev", "--data-dir", dir, "--admin-addr", "127.0.0.1:0",
			"--consumer-admin-addr", "127.0.0.1:0"}, small...), addrs...)...)
		d.says(`^ready in`)
		return d
	}
	d := dev()
	dsn := "clickhouse://" + addrs[5] + "/sluice"
	load := start(t, "sluice", "load", "--url", "http://"+addrs[1], "--events", "20000", "--bulk", "50", "--rate", "4000",
		"--clickhouse", dsn, "--verify", "--json")
	p := &pipeline{t: t, name: "events", dsn: dsn}
	p.connect()
	p.eventually("the load under way", func() bool { return p.tryScalar("SELECT count() FROM events_raw") > 4_000 })
	killAll(t, d)
	dev()
	require.Zero(t, load.wait(2*time.Minute), load.output())

	check := func(wantCode int) string {
		t.Helper()
		code, said := runs(t, "sluice", "audit", "--kafka-brokers", addrs[3], "--clickhouse-dsn", dsn)
		require.Equal(t, wantCode, code, said)
		return said
	}
	p.eventually("no lag", func() bool {
		_, said := runs(t, "sluice", "audit", "--kafka-brokers", addrs[3], "--clickhouse-dsn", dsn, "--json")
		return strings.Contains(said, `"lag":0`)
	})
	assert.Contains(t, check(0), "0 records are unaccounted for, of ")
	var partition int32
	var offset int64
	const which = " FROM events_raw ORDER BY _partition DESC, _offset DESC LIMIT 1 OFFSET 100"
	require.NoError(t, p.db.QueryRow(t.Context(), "SELECT _partition, _offset"+which).Scan(&partition, &offset))
	require.NoError(t, p.db.Exec(t.Context(), "DELETE FROM events_raw WHERE (_partition, _offset) IN (SELECT _partition, _offset"+which+")"))
	said := check(1)
	assert.Contains(t, said, fmt.Sprintf("partition %d: 1 record is unaccounted for, at\n  offset %d,", partition, offset))
}

// killAll kills a `sluice dev` with all of its processes.
func killAll(t *testing.T, d *program) {
	t.Helper()
	pid := d.cmd.Process.Pid
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		more, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		children = append(children, more...)
	}
	require.NoError(t, err)
	killed := 0
	for _, child := range strings.Fields(string(children)) {
		n, err := strconv.Atoi(child)
		require.NoError(t, err)
		if syscall.Kill(n, syscall.SIGKILL) == nil {
			killed++
		}
	}
	require.Positive(t, killed, "the engine's process was not found")
	d.kill()
}

// TestCanary: the canary measures how long its events take, says so when they do not arrive, and when they do again.
func TestCanary(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	p.startGateway("127.0.0.1:0")
	c := p.startConsumer()
	admin := free(t)
	bird := start(t, "sluice", "load", "--canary", "--url", p.url, "--key", key, "--clickhouse", p.dsn, "--every", "1s",
		"--late-after", "5s", "--admin-addr", admin)
	bird.says(`msg="canary events are queryable" took=`)
	for _, want := range []string{
		`sluice_canary_queryable_seconds_count [1-9]`, `sluice_canary_last_queryable_seconds [0-9.]+`,
		`sluice_canary_failures_total{reason="late"} 0`,
	} {
		assert.Regexp(t, want, p.metricsAt(admin))
	}
	require.Zero(t, c.term())
	bird.says(`level=ERROR msg="canary events are not queryable" reason=late`)
	assert.Regexp(t, `sluice_canary_failures_total{reason="late"} [1-9]`, p.metricsAt(admin))
	p.startConsumer()
	p.eventually("the events that were late", func() bool {
		return strings.Count(bird.output(), `msg="canary events are queryable"`) == 2
	})
	require.Zero(t, p.gateway.term())
	bird.says(`level=ERROR msg="a canary event was not accepted" reason=unreachable`)
	require.Zero(t, bird.term())
	n := p.scalar("SELECT count() FROM events")
	assert.Positive(t, n)
	assert.Equal(t, n, p.scalar("SELECT count() FROM events WHERE sdk_name = 'sluice.canary' AND "+
		"endsWith(toString(event_id), lower(hex('canary'))) AND tags['sluice_canary'] = '1'"))
	assert.EqualValues(t, 1, p.scalar("SELECT count() FROM issues"))
}

// metricsAt are the metrics that an admin port serves.
func (p *pipeline) metricsAt(admin string) string {
	p.t.Helper()
	resp, err := http.Get("http://" + admin + "/metrics")
	require.NoError(p.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return string(text)
}
