package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/internal/embedded"
)

// kill ends a process that a scenario started.
func kill(t testing.TB, pid int) {
	t.Helper()
	process, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
}

// TestTwoConsumersShareAndTakeOver: two share the partitions; one dies, the other has all of them; nothing is lost.
func TestTwoConsumersShareAndTakeOver(t *testing.T) {
	t.Parallel()
	p := newPipelineThatKills(t, 6)
	p.startGateway("127.0.0.1:0")
	first := p.startConsumer()
	second := p.startConsumer()
	second.says(`msg="partitions assigned" .*partitions="\[\d \d \d\]"`)
	first.says(`msg="partitions assigned" .*partitions="\[\d \d \d\]"`)

	load := start(t, "sluice", p.load("--events", "12000", "--bulk", "50", "--rate", "800")...)
	p.eventually("the load under way", func() bool { return p.scalar("SELECT count() FROM events_raw") > 1200 })
	first.kill()
	second.says(`msg="partitions assigned" .*partitions="\[\d \d \d \d \d \d\]"`)
	if code := load.wait(3 * time.Minute); code != 0 {
		t.Fatalf("load ended with %d\n%s", code, load.output())
	}
}

// TestTermUnderLoad: gateway and consumer are asked to stop in the middle of a load, end with 0, and nothing acknowledged is
// lost.
func TestTermUnderLoad(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 6)
	g := p.startGateway("127.0.0.1:0")
	addr := p.url[len("http://"):]
	c := p.startConsumer()
	load := start(t, "sluice", p.load("--events", "12000", "--bulk", "20", "--rate", "1600", "--connections", "8")...)
	for round := range 3 {
		floor := uint64(1600 * (round + 1))
		p.eventually("the load under way", func() bool { return p.scalar("SELECT count() FROM events_raw") > floor })
		if code := g.term(); code != 0 {
			t.Fatalf("gateway ended with %d", code)
		}
		g = p.startGateway(addr)
		if code := c.term(); code != 0 {
			t.Fatalf("consumer ended with %d", code)
		}
		c = p.startConsumer()
	}
	if code := load.wait(3 * time.Minute); code != 0 {
		t.Fatalf("load ended with %d\n%s", code, load.output())
	}
}

// TestPoison: whatever is on the topic becomes a row or a dead letter, and its neighbours become rows.
func TestPoison(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	header := func(name, value string) kafka.Header { return kafka.Header{Key: name, Value: []byte(value)} }
	good := func(n int) kafka.Record {
		return kafka.Record{
			Value: kafka.NewBytes(fmt.Appendf(nil, `{"message":"good %d"}`, n)),
			Headers: []kafka.Header{
				header("v", "1"), header("project", "e2e"), header("received-at", "1795435200000"),
				header("event-id", fmt.Sprintf("0193b3c4-5d6e-7a7b-8c9d-%012d", n)),
			},
		}
	}
	bad := func(edit func(r *kafka.Record)) kafka.Record {
		r := good(999)
		edit(&r)
		return r
	}
	poison := []kafka.Record{
		bad(func(r *kafka.Record) { r.Value = nil }),
		bad(func(r *kafka.Record) { r.Value = kafka.NewBytes([]byte{}) }),
		bad(func(r *kafka.Record) { r.Value = kafka.NewBytes([]byte{0xff, 0, 1}) }),
		bad(func(r *kafka.Record) { r.Value = kafka.NewBytes([]byte(`{"level":"info"}`)) }),
		bad(func(r *kafka.Record) { r.Headers = nil }),
		bad(func(r *kafka.Record) { r.Headers[0].Value = []byte("2") }),
		bad(func(r *kafka.Record) { r.Headers[1].Value = []byte("../../etc") }),
		bad(func(r *kafka.Record) { r.Headers[2].Value = []byte("yesterday") }),
		bad(func(r *kafka.Record) {
			r.Value = kafka.NewBytes([]byte(`{"message":"` + strings.Repeat("x", 1900<<10)))
		}),
	}
	for i, r := range poison {
		p.produce(0, good(2*i), r, good(2*i+1))
	}
	p.startConsumer()
	p.rows(uint64(2 * len(poison)))
	p.eventually("the offset past all of it", func() bool { return p.lag() == 0 })
	if n := p.records(p.name + ".dead"); n != int64(len(poison)) {
		t.Errorf("%d dead letters, want %d", n, len(poison))
	}
}

// TestPartsAppearLater: a consumer whose ClickHouse is not there says so, retries, and goes on by itself.
func TestPartsAppearLater(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	engine := startEngine(t, engineIn(dir, "127.0.0.1:0", "127.0.0.1:0"))
	tcp, http := engine.TCPAddr(), engine.HTTPAddr()
	p := newPipelineOn(t, 1, tcp)
	engine.kill()

	c := p.startConsumer()
	p.startGateway("127.0.0.1:0")
	if a := p.post("/api/v1/events", "application/json", `{"message":"early"}`); a.status != 202 {
		t.Fatalf("got %+v", a)
	}
	c.says(`msg="clickhouse does not answer as it should, retrying"`)
	startEngine(t, engineIn(dir, tcp, http))
	c.says(`msg="clickhouse answers again"`)
	p.rows(1)
	p.conserved()
}

func engineIn(dir, tcp, http string) embedded.EngineConfig {
	return embedded.EngineConfig{TCPAddr: tcp, HTTPAddr: http, DataDir: dir}
}
