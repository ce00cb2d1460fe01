package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/load"
	"sluice/internal/plan"
	"sluice/internal/plan/measure"
	"sluice/internal/settings"
)

// planLasts is how long BenchmarkPlan sends each load.
const planLasts = 30 * time.Second

// planLoads are the loads of BenchmarkPlan, in events a second.
var planLoads = []struct {
	rate, bytes, bulk int
	gzip              bool
}{
	{rate: 5_000, bytes: 200, bulk: 1},
	{rate: 50_000, bytes: 200, bulk: 100},
	{rate: 1_000, bytes: 1400, bulk: 1},
	{rate: 10_000, bytes: 1400, bulk: 100},
	{rate: 10_000, bytes: 1400, bulk: 500, gzip: true},
}

// BenchmarkPlan compares what `sluice plan` reckons, with the figures of a measurement of its own just before, with
// what the programs take while `sluice load` sends at a fixed rate through the whole pipeline. Each metric is the
// planned value divided by the measured one. Cores are processor time, so a shared machine does not falsify them.
//
//	go test ./internal/e2e -run '^$' -bench Plan -benchtime 1x
//
// With SLUICE_PLAN_FIGURES=FILE the figures are those of the file, which `sluice plan --measure --save` wrote.
func BenchmarkPlan(b *testing.B) {
	figures := planFigures(b)
	for _, l := range planLoads {
		b.Run(fmt.Sprintf("bytes=%d/bulk=%d/gzip=%t", l.bytes, l.bulk, l.gzip), func(b *testing.B) {
			r := newPlanRun(b)
			r.send(load.Config{Rate: float64(l.rate), EventSize: l.bytes, Bulk: l.bulk, Gzip: l.gzip})
			is := r.measured
			should, err := plan.Compute(plan.Load{
				Traffic: plan.Traffic{EventsPerSecond: is.eventsPerSecond, PeakFactor: 1, EventBytes: is.eventBytes,
					Bulk: l.bulk, Gzip: l.gzip},
				Keeping: plan.Keeping{Retention: settings.Duration(24 * time.Hour),
					TopicRetention: settings.Duration(24 * time.Hour), Replication: 1, Replicas: 1},
				Machines: plan.Machines{Headroom: 0.5, Cores: 4, ServerCores: 16, ServerDisk: 1e15, NetworkBytes: 1e12},
				Fixed:    plan.Fixed{Partitions: 12, Gateways: 1, Consumers: 1, Shards: 1},
			}, figures)
			require.NoError(b, err)
			ch := should.ClickHouse
			// The run is shorter than a day, so rows are merged fewer times.
			merges := ch.MergeCores * plan.MergePasses(is.inserts) / ch.MergePasses
			clickhouse := ch.InsertCores + merges + figures.Idle.ClickHouse
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(is.eventsPerSecond, "events/s")
			b.ReportMetric(is.paused, "paused_s") // a machine that is too busy for the load
			for _, c := range []struct {
				name         string
				planned, got float64
			}{
				{"gateway_cores", should.Gateway.BusyCores, is.gateway},
				{"consumer_cores", should.Consumer.BusyCores, is.consumer},
				{"clickhouse_cores", clickhouse, is.engine},
				{"inserts", should.Consumer.Inserts, is.inserts / is.seconds},
				{"merges", plan.MergePasses(is.inserts), is.merged / (is.seconds * is.eventsPerSecond)},
				{"disk_bytes", ch.RowBytes, is.rowBytes},
				{"net_from_clients", should.Network.FromClients, is.fromClients},
				{"net_to_kafka", should.Network.ToKafka, is.toKafka},
				{"net_to_clickhouse", should.Network.ToClickHouse, is.toClickHouse},
			} {
				b.Logf("%-18s planned %12.4f measured %12.4f", c.name, c.planned, c.got)
				b.ReportMetric(c.planned/c.got, c.name)
			}
		})
	}
}

func planFigures(b *testing.B) plan.Figures {
	b.Helper()
	file := os.Getenv("SLUICE_PLAN_FIGURES")
	if file == "" {
		file = filepath.Join(b.TempDir(), "figures.json")
		code, said := runs(b, "sluice", "plan", "--measure", "--save", file)
		require.Zero(b, code, said)
	}
	text, err := os.ReadFile(file)
	require.NoError(b, err)
	figures, err := plan.Parse(text)
	require.NoError(b, err)
	return figures
}

// planRun is one load on a pipeline.
type planRun struct {
	*pipeline
	b        *testing.B
	consumer *program
	measured measured
}

// measured is what a load took: cores, and bytes a second.
type measured struct {
	seconds, eventsPerSecond, eventBytes, inserts, merged float64
	paused                                                float64
	gateway, consumer, engine                             float64
	fromClients, toKafka, toClickHouse, rowBytes          float64
}

func newPlanRun(b *testing.B) *planRun {
	p := newPipeline(b, 12)
	p.startGateway("127.0.0.1:0")
	c := p.consumerAsItIs()
	c.says(`msg="partitions assigned"`)
	return &planRun{pipeline: p, b: b, consumer: c}
}

// send sends the load and measures from its begin until its events are rows and merged as far as ClickHouse merges by
// itself.
func (r *planRun) send(cfg load.Config) {
	r.b.Helper()
	before := r.use()
	report := r.load(cfg)
	r.within(time.Minute, "no lag", func() bool { return r.tryLag() == 0 })
	r.within(time.Minute, "no merges", func() bool { return r.scalar("SELECT count() FROM system.merges") == 0 })
	after := r.use()
	took, events := report.Seconds, float64(report.Accepted)
	m := &r.measured
	m.seconds, m.eventsPerSecond, m.eventBytes = took, events/took, float64(report.Bytes)/events
	m.paused = report.PausedSeconds
	m.merged = after.merged - before.merged
	m.inserts = after.inserts - before.inserts
	m.gateway = after.gateway.Since(before.gateway).Processor.Seconds() / took
	m.consumer = after.consumer.Since(before.consumer).Processor.Seconds() / took
	m.engine = after.engine.Since(before.engine).Processor.Seconds() / took
	m.fromClients = float64(after.gateway.Since(before.gateway).Read) / took
	answers := float64(report.Requests) * answerBytes
	m.toKafka = (float64(after.gateway.Since(before.gateway).Written) - answers) / took
	m.toClickHouse = (after.received - before.received) / took
	require.NoError(r.b, r.db.Exec(r.b.Context(), "OPTIMIZE TABLE events_raw FINAL"))
	m.rowBytes = float64(r.scalar("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'events_raw'"+
		" AND database = currentDatabase()")) / events
}

// answerBytes is about what an answer takes, which the gateway writes besides the records.
const answerBytes = 240

func (r *planRun) load(cfg load.Config) (report load.Report) {
	r.b.Helper()
	args := []string{"load", "--url", r.url, "--key", key, "--json", "--connections", "64", "--duration", planLasts.String(),
		"--rate", fmt.Sprint(cfg.Rate), "--event-size", fmt.Sprint(cfg.EventSize), "--bulk", fmt.Sprint(cfg.Bulk)}
	if cfg.Gzip {
		args = append(args, "--gzip")
	}
	code, said := runs(r.b, "sluice", args...)
	require.Zero(r.b, code, said)
	_, text, _ := strings.Cut(said, "{")
	require.NoError(r.b, json.Unmarshal([]byte("{"+text), &report))
	return report
}

type planUse struct {
	gateway, consumer, engine measure.Usage
	inserts, received, merged float64
}

func (r *planRun) use() (u planUse) {
	r.b.Helper()
	for _, p := range []struct {
		pid int
		to  *measure.Usage
	}{
		{r.gateway.cmd.Process.Pid, &u.gateway}, {r.consumer.cmd.Process.Pid, &u.consumer},
		{lab.engine.PID(), &u.engine},
	} {
		var err error
		*p.to, err = measure.UsageOf(p.pid)
		require.NoError(r.b, err)
	}
	u.inserts = float64(r.scalar("SELECT sum(value) FROM system.events WHERE event = 'InsertQuery'"))
	u.merged = float64(r.scalar("SELECT sum(value) FROM system.events WHERE event = 'MergedRows'"))
	u.received = float64(r.scalar("SELECT sum(value) FROM system.events WHERE event = 'NetworkReceiveBytes'"))
	return u
}
