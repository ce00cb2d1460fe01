package e2e

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/internal/embedded"
)

// outage is a broker of the scenario's own, which comes and goes.
type outage struct {
	t    testing.TB
	addr string
	dir  string
	stop func()
}

func (o *outage) start() {
	o.t.Helper()
	broker := embedded.NewBroker(embedded.BrokerConfig{Addr: o.addr, DataDir: o.dir, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- broker.Run(ctx) }()
	stopped := false
	o.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			o.t.Errorf("broker: %v", err)
		}
	}
	o.t.Cleanup(o.stop)
	select {
	case <-broker.Ready():
		o.addr = broker.Addr()
	case err := <-done:
		o.t.Fatalf("broker: %v", err)
	}
}

// gatewayWithSpool starts a gateway program and returns it with its two addresses.
func (o *outage) gatewayWithSpool(projects, spool string, flags ...string) (g *program, url, admin string) {
	o.t.Helper()
	admin = free(o.t)
	g = start(o.t, "gateway", append([]string{
		"--kafka-brokers", o.addr, "--kafka-topic", "spooled", "--kafka-dead-topic", "spooled.dead", "--http-addr", "127.0.0.1:0",
		"--admin-addr", admin, "--projects-file", projects, "--drain-delay", "0s", "--spool-dir", spool, "--request-timeout", "4s",
	}, flags...)...)
	return g, "http://" + g.says(`msg="gateway serves" addr=(\S+)`), "http://" + admin
}

// free is an address that nobody listens on. Its port lies outside the range from which the system picks ports, so that
// no other program gets the port first. free returns no port twice.
func free(t testing.TB) string {
	t.Helper()
	const first, ports = 10_000, 20_000
	for range ports {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+nextPort.Add(1)%ports))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return l.Addr().String()
	}
	t.Fatal("no port is free")
	return ""
}

// nextPort starts at random, because several test programs may run at a time.
var nextPort = func() (n atomic.Uint32) { n.Store(rand.Uint32N(20_000)); return }()

// metric reads one figure from an admin port.
func metric(t testing.TB, admin, name string) float64 {
	t.Helper()
	resp, err := http.Get(admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		if text, ok := strings.CutPrefix(scan.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no %s", name)
	return 0
}

// TestSpoolSurvivesGatewayAndKafka: Kafka goes, events are answered 202 all the same, the gateway is killed, twice, and every
// event that was ever answered 202 is on the topic when both are back.
func TestSpoolSurvivesGatewayAndKafka(t *testing.T) {
	t.Parallel()
	o := &outage{t: t, addr: "127.0.0.1:0", dir: t.TempDir()}
	o.start()
	if code, out := runs(t, "sluice", "topics", "apply", "--replication", "1", "--min-isr", "1", "--partitions", "3",
		"--kafka-brokers", o.addr, "--kafka-topic", "spooled", "--kafka-dead-topic", "spooled.dead"); code != 0 {
		t.Fatalf("topics apply: %d\n%s", code, out)
	}
	sum := sha256.Sum256([]byte(key))
	projects := filepath.Join(t.TempDir(), "projects.yaml")
	text := "projects:\n  - id: e2e\n    keys: [{name: test, sha256: " + hex.EncodeToString(sum[:]) + "}]\n    limit: {unlimited: true}\n"
	if err := os.WriteFile(projects, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	spool := filepath.Join(t.TempDir(), "spool")

	kept := map[string]bool{}
	send := func(url string, n int) {
		t.Helper()
		for range n {
			a := post(t, url+"/api/v1/events", "application/json", `{"message":"kept"}`)
			if a.status != 202 {
				t.Fatalf("got %+v", a)
			}
			kept[a.EventID] = true
		}
	}
	g, url, _ := o.gatewayWithSpool(projects, spool)
	if code, out := runs(t, "gateway", "--kafka-brokers", o.addr, "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0",
		"--projects-file", projects, "--spool-dir", spool); code != 1 || !strings.Contains(out, "another gateway") {
		t.Errorf("a second gateway on the same directory: %d\n%s", code, out)
	}
	send(url, 20)
	o.stop()
	send(url, 100)
	g.kill()
	g, url, admin := o.gatewayWithSpool(projects, spool) // while Kafka is away
	send(url, 100)
	if n := metric(t, admin, "sluice_gateway_spool_events"); n < 200 || metric(t, admin, "sluice_gateway_spool_bytes") == 0 {
		t.Errorf("%v events in the spool", n)
	}
	g.kill()
	o.start()
	g, url, admin = o.gatewayWithSpool(projects, spool)
	send(url, 20)
	deadline := time.Now().Add(60 * time.Second)
	for metric(t, admin, "sluice_gateway_spool_events") > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("the spool does not get empty")
		}
		<-time.After(50 * time.Millisecond)
	}
	if code := g.term(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	found := o.ids("spooled", 3)
	for id := range kept {
		if found[id] == 0 {
			t.Errorf("%s was answered 202 and is not on the topic", id)
		}
	}
	for id := range found {
		if !kept[id] {
			t.Errorf("%s is on the topic and was never sent", id)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(spool, "0*")); len(left) > 0 {
		t.Errorf("left in the spool: %v", left)
	}
}

// ids counts the records of each event on a topic.
func (o *outage) ids(topic string, partitions int) map[string]int {
	o.t.Helper()
	found := map[string]int{}
	for partition := range partitions {
		conn, err := kafka.DialLeader(o.t.Context(), "tcp", o.addr, topic, partition)
		if err != nil {
			o.t.Fatal(err)
		}
		end, err := conn.ReadLastOffset()
		if err == nil {
			_, err = conn.Seek(0, kafka.SeekAbsolute)
		}
		for err == nil {
			if offset, _ := conn.Offset(); offset >= end {
				break
			}
			_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
			var m kafka.Message
			if m, err = conn.ReadMessage(4 << 20); err == nil {
				found[header(m, "event-id")]++
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			o.t.Fatal(fmt.Errorf("partition %d: %w", partition, err))
		}
		_ = conn.Close()
	}
	return found
}

func header(m kafka.Message, name string) string {
	for _, h := range m.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}
