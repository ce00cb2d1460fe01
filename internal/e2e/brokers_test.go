package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

var (
	outages     = flag.Int("outages", 1, "how often TestBrokersLost makes each outage")
	outageLasts = flag.Duration("outage.lasts", 20*time.Second, "how long an outage of TestBrokersLost lasts")
	outageSpool = flag.Bool("outage.spool", false, "give the gateway of TestBrokersLost a spool")
)

// brokers are the three nodes that `make kafka-up NODES=3` started.
type brokers struct{ t testing.TB }

// threeBrokers skips the test unless it runs on three brokers.
func threeBrokers(t testing.TB) brokers {
	t.Helper()
	if strings.Count(lab.brokers, ",") != 2 {
		t.Skipf("needs three brokers: make kafka-up NODES=3, then %s=host:port,host:port,host:port", kafkaSetting)
	}
	return brokers{t}
}

// node does something to a node, see deploy/kafka/node.sh.
func (b brokers) node(what string, node int) {
	b.t.Helper()
	script := filepath.Join("..", "..", "deploy", "kafka", "node.sh")
	var said bytes.Buffer
	cmd := exec.Command(script, what, strconv.Itoa(node))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("node.sh %s %d: %v\n%s", what, node, err, said.String())
	}
}

// kill ends nodes as a crash does, and starts them again when the test ends.
func (b brokers) kill(nodes ...int) {
	b.t.Helper()
	for _, n := range nodes {
		b.t.Cleanup(func() { b.node("start", n) })
		b.node("kill", n)
	}
}

// pause stops a node by SIGSTOP until the test ends.
func (b brokers) pause(node int) {
	b.t.Helper()
	b.t.Cleanup(func() {
		_ = exec.Command(filepath.Join("..", "..", "deploy", "kafka", "node.sh"), "resume", strconv.Itoa(node)).Run()
	})
	b.node("pause", node)
}

// leader is the node that leads a partition of the topic.
func (p *pipeline) leader(partition int) int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	meta, err := p.client().Metadata(ctx, &kafka.MetadataRequest{Topics: []string{p.name}})
	if err != nil {
		p.t.Fatal(err)
	}
	return meta.Topics[0].Partitions[partition].Leader.ID
}

// coordinator is the node that coordinates the group.
func (p *pipeline) coordinator() int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	resp, err := p.client().FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: p.name, KeyType: kafka.CoordinatorKeyTypeConsumer})
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.Coordinator.NodeID
}

// whole waits until every partition has all its replicas in sync again.
func (p *pipeline) whole() {
	p.t.Helper()
	p.within(2*time.Minute, "all replicas in sync", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		meta, err := p.client().Metadata(ctx, &kafka.MetadataRequest{Topics: []string{p.name, "__consumer_offsets"}})
		if err != nil {
			return false
		}
		for _, topic := range meta.Topics {
			for _, part := range topic.Partitions {
				if topic.Error != nil || len(part.Isr) < 3 {
					return false
				}
			}
		}
		return true
	})
}

// TestBrokersLost takes brokers away from a cluster of three while clients send, and brings them back. Nothing is lost or doubled,
// and what each outage cost is printed: the longest time without a 202, over all clients and of one client, the longest time
// without a new row, and what the programs said.
//
// With three replicas on three brokers no partition acknowledges anything under acks=all until Kafka has taken the lost broker out
// of the replicas in sync, after broker.session.timeout.ms. A spool bridges that time.
//
//	make kafka-up NODES=3
//	go test ./internal/e2e -run TestBrokersLost -v -plain -timeout 1h -outages 5 -outage.spool
func TestBrokersLost(t *testing.T) {
	b := threeBrokers(t)
	for _, outage := range []struct {
		name       string
		partitions string // more than 12 are fetched together, and share blocks
		begin      func(*pipeline)
	}{
		{"leader killed", "12", func(p *pipeline) { b.kill(p.leader(0)) }},
		{"leader paused", "48", func(p *pipeline) { b.pause(p.leader(0)) }},
		{"coordinator killed", "12", func(p *pipeline) { b.kill(p.coordinator()) }},
		{"two killed", "48", func(*pipeline) { b.kill(1, 2) }},
	} {
		for round := range *outages {
			t.Run(fmt.Sprintf("%s %d", outage.name, round+1), func(t *testing.T) {
				p := newPipelineWith(t, lab.engine.TCPAddr(), "--replication", "3", "--min-isr", "2", "--partitions", outage.partitions)
				var flags []string
				if *outageSpool {
					flags = []string{"--spool-dir", t.TempDir()}
				}
				p.startGateway("127.0.0.1:0", flags...)
				c := p.startConsumer()
				p.whole()
				s := p.send(32)
				p.eventually("the load under way", func() bool { return s.accepted.Load() > 1000 })
				pauses := p.watchRows()
				t.Run("away", func(t *testing.T) {
					inner := *p
					inner.t, b.t = t, t
					outage.begin(&inner)
					p.rest(*outageLasts)
				}) // its end brings the nodes back
				p.whole()
				p.rest(3 * time.Second)
				s.stop()
				p.within(2*time.Minute, "no lag", func() bool { return p.tryLag() == 0 })
				p.within(2*time.Minute, "every acknowledged event a row", func() bool {
					return p.tryScalar("SELECT count() FROM events") >= uint64(s.accepted.Load())
				})
				t.Logf("%s: longest time without a 202: %s for all, %s for one client; without a row: %s; 202s: %d, other answers: %v",
					outage.name, s.quiet(), s.longest(), pauses(), s.accepted.Load(), s.others())
				t.Logf("gateway: %s", warnings(p.gateway))
				t.Logf("consumer: %s", warnings(c))
				s.verify()
			})
		}
	}
}

// rest lets time pass.
func (p *pipeline) rest(d time.Duration) {
	p.t.Helper()
	select {
	case <-time.After(d):
	case <-p.t.Context().Done():
		p.t.Fatal("the test was stopped")
	}
}

// watchRows notes the longest time without a new row from now on; the result ends it and says how long it was.
func (p *pipeline) watchRows() (longest func() time.Duration) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan time.Duration, 1)
	go func() {
		var most time.Duration
		last, since := uint64(0), time.Now()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				done <- most
				return
			case <-tick.C:
			}
			if n := p.tryScalar("SELECT count() FROM events_raw"); n > last {
				most = max(most, time.Since(since))
				last, since = n, time.Now()
			}
		}
	}()
	return func() time.Duration {
		stop()
		return (<-done).Round(100 * time.Millisecond)
	}
}

var logged = regexp.MustCompile(`level=(WARN|ERROR) msg=("[^"]*"|\S+)`)

// warnings counts what a program said at WARN and ERROR.
func warnings(p *program) string {
	counts := map[string]int{}
	for _, m := range logged.FindAllStringSubmatch(p.output(), -1) {
		counts[m[1]+" "+m[2]]++
	}
	return fmt.Sprint(counts)
}
