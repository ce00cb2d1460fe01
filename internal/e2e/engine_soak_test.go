package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"
)

// TestClickHouseAwaySoak keeps ClickHouse away while events keep coming, for as long as one likes, and prints what happened to the
// consumer's memory: lag grows, memory does not, nothing becomes a dead letter, the consumer stays in its group, and
// catches up without a restart.
//
//	go test ./internal/e2e -run TestClickHouseAwaySoak -v -timeout 2h -soak.away 10m
func TestClickHouseAwaySoak(t *testing.T) {
	if *soakAway == 0 {
		t.Skip("takes as long as it is told to: set -soak.away 10m")
	}
	bin := plainPrograms(t)
	dir := filepath.Join(t.TempDir(), "clickhouse")
	engine := startEngine(t, engineIn(dir, "127.0.0.1:0", "127.0.0.1:0"))
	tcp, http := engine.TCPAddr(), engine.HTTPAddr()
	p := newPipelineOn(t, 12, tcp)
	p.startGateway("127.0.0.1:0")

	said, err := os.Create(filepath.Join(t.TempDir(), "consumer.log"))
	if err != nil {
		t.Fatal(err)
	}
	consumer := exec.CommandContext(context.Background(), bin+"consumer", append(p.kafka(),
		"--clickhouse-dsn", p.dsn, "--kafka-group", p.name, "--admin-addr", "127.0.0.1:0")...)
	consumer.Stderr = said
	if err := consumer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = consumer.Process.Kill()
		_ = consumer.Wait()
		_ = said.Close()
	})

	rate := "3000"
	var load sync.WaitGroup
	send := func(d time.Duration) {
		load.Go(func() {
			l := start(t, "sluice", "load", "--url", p.url, "--key", key, "--rate", rate, "--bulk", "100", "--event-size", "1400", "--duration", d.String())
			if code := l.wait(d + 2*time.Minute); code != 0 {
				t.Errorf("load: %d\n%s", code, l.output())
			}
		})
	}
	s := &soak{pipeline: p}
	watch := func(d time.Duration) int64 {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		return s.memory(ctx, consumer)
	}
	send(30 * time.Second)
	before := watch(30 * time.Second)
	load.Wait()
	t.Logf("ClickHouse there, %s events a second of 1.4 KB: RSS %d MiB, %d rows", rate, before>>20, p.tryScalar("SELECT count() FROM events_raw"))
	engine.kill()
	send(*soakAway)
	most := watch(*soakAway)
	load.Wait()
	t.Logf("ClickHouse away for %s: RSS %d MiB, %.2f times; lag %d", *soakAway, most>>20, float64(most)/float64(before), p.lag())
	if float64(most) > 1.5*float64(before) || most > 512<<20 {
		t.Errorf("RSS grew from %d to %d MiB", before>>20, most>>20)
	}
	startEngine(t, engineIn(dir, tcp, http))
	back := time.Now()
	p.within(10*time.Minute, "no lag", func() bool { return p.tryLag() == 0 })
	total := p.records(p.name)
	t.Logf("caught up %s after ClickHouse was back: %d records, %d rows", time.Since(back).Round(time.Second), total, p.tryScalar("SELECT count() FROM events_raw"))
	if n := p.tryScalar("SELECT uniqExact(_partition, _offset) FROM events_raw"); int64(n) != total || p.tryScalar("SELECT count() FROM events_raw") != n {
		t.Errorf("%d offsets of %d records", n, total)
	}
	if n := p.records(p.name + ".dead"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	text, err := os.ReadFile(said.Name())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`partitions assigned`).FindAll(text, -1)); n != 1 {
		t.Errorf("partitions were assigned %d times", n)
	}
	p.conserved()
}
