package e2e

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

var (
	soakAway = flag.Duration("soak.away", 0, "how long TestOutageSoak keeps Kafka away; 0: it is skipped")
	soakRate = flag.Int("soak.rate", 0, "events a second that TestOutageSoak offers; 0: as many as its connections can")
)

// soakConnections is how many clients send at the same time, none of which waits when it is told to.
const soakConnections = 128

// TestOutageSoak keeps Kafka away under load, for as long as one likes, and prints what happened to memory and answers: without a
// spool 503 within the deadline; with one 202, a kill -9 in between, and in the end each acknowledged event once.
//
//	go test ./internal/e2e -run TestOutageSoak -v -timeout 2h -soak.away 10m
func TestOutageSoak(t *testing.T) {
	if *soakAway == 0 {
		t.Skip("takes as long as it is told to: set -soak.away 10m")
	}
	bin := plainPrograms(t)
	t.Run("without spool", func(t *testing.T) { newSoak(t, bin).away(false) })
	t.Run("with spool", func(t *testing.T) { newSoak(t, bin).away(true) })
}

// plainPrograms builds the programs without the race detector, which multiplies their memory.
func plainPrograms(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bin") + string(filepath.Separator)
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", dir, "sluice/cmd/...")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return dir
}

// soak is one outage.
type soak struct {
	*pipeline
	bin    string
	broker *outage
	addr   string // of the gateway
	acked  []atomic.Bool
	next   atomic.Int64
	counts sync.Map // status or error → *atomic.Int64
	slow   atomic.Int64
}

// soakMost is how many events a soak can have.
const soakMost = 50_000_000

func newSoak(t *testing.T, bin string) *soak {
	t.Helper()
	o := &outage{t: t, addr: "127.0.0.1:0", dir: t.TempDir()}
	o.start()
	before := lab.brokers
	lab.brokers = o.addr
	t.Cleanup(func() { lab.brokers = before })
	s := &soak{pipeline: newPipeline(t, 6), bin: bin, broker: o, addr: free(t), acked: make([]atomic.Bool, soakMost)}
	s.url = "http://" + s.addr
	return s
}

func (s *soak) count(what string) *atomic.Int64 {
	v, _ := s.counts.LoadOrStore(what, new(atomic.Int64))
	return v.(*atomic.Int64) // nothing else is in it
}

func (s *soak) said() string {
	var all []string
	s.counts.Range(func(k, v any) bool {
		all = append(all, fmt.Sprintf("%s: %d", k, v.(*atomic.Int64).Load()))
		return true
	})
	return strings.Join(all, ", ")
}

// gatewayProgram starts the gateway and returns its process.
func (s *soak) gatewayProgram(spool bool) *exec.Cmd {
	s.t.Helper()
	args := append(s.kafka(), "--http-addr", s.addr, "--admin-addr", "127.0.0.1:0", "--projects-file", s.projects, "--drain-delay", "0s")
	if spool {
		args = append(args, "--spool-dir", filepath.Join(s.broker.dir, "spool"))
	}
	cmd := exec.CommandContext(context.Background(), s.bin+"gateway", args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	for {
		c, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = c.Close()
			return cmd
		}
		pause(s.t.Context(), 20*time.Millisecond)
	}
}

// send offers events until ctx ends.
func (s *soak) send(ctx context.Context) {
	client := &fasthttp.Client{MaxConnsPerHost: soakConnections, ReadTimeout: 20 * time.Second, MaxIdemponentCallAttempts: 1}
	start := time.Now()
	var all sync.WaitGroup
	first := s.next.Load()
	for range soakConnections {
		all.Go(func() {
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(resp)
			for ctx.Err() == nil {
				n := s.next.Add(1) - 1
				if *soakRate > 0 {
					pause(ctx, time.Until(start.Add(time.Duration(float64(n-first)/float64(*soakRate)*float64(time.Second)))))
				}
				req.Reset()
				req.SetRequestURI("http://" + s.addr + "/api/v1/events")
				req.Header.SetMethod("POST")
				req.Header.Set("Authorization", "Bearer "+key)
				req.Header.SetContentType("application/json")
				req.SetBodyString(fmt.Sprintf(`{"event_id":"0193b3c4-5d6e-4a7b-8c9d-%012d","timestamp":"2026-11-20T00:00:00Z","message":"%d"}`, n, n))
				from := time.Now()
				if err := client.Do(req, resp); err != nil {
					s.count("no answer").Add(1)
					pause(ctx, 10*time.Millisecond)
					continue
				}
				if time.Since(from) > 11*time.Second {
					s.slow.Add(1)
				}
				s.count(strconv.Itoa(resp.StatusCode())).Add(1)
				if resp.StatusCode() == 202 {
					s.acked[n].Store(true)
				} else if resp.StatusCode() == 503 && len(resp.Header.Peek("Retry-After")) == 0 {
					s.t.Error("503 without Retry-After")
				}
			}
		})
	}
	all.Wait()
}

// memory is the most that the process has had resident while ctx lasted, in bytes, looked at ten times a second.
func (s *soak) memory(ctx context.Context, cmd *exec.Cmd) (most int64) {
	for pause(ctx, 100*time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", cmd.Process.Pid))
		if err != nil {
			return most
		}
		pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
		most = max(most, pages*int64(os.Getpagesize()))
	}
	return most
}

// during runs the load and watches memory for a while.
func (s *soak) during(d time.Duration, cmd *exec.Cmd) int64 {
	ctx, cancel := context.WithTimeout(s.t.Context(), d)
	defer cancel()
	var load sync.WaitGroup
	load.Go(func() { s.send(ctx) })
	most := s.memory(ctx, cmd)
	load.Wait()
	return most
}

func (s *soak) away(spool bool) {
	t := s.t
	g := s.gatewayProgram(spool)
	before := s.during(20*time.Second, g)
	t.Logf("Kafka there: RSS %d MiB; %s", before>>20, s.said())
	s.broker.stop()
	half := *soakAway / 2
	most := s.during(half, g)
	t.Logf("Kafka away: RSS %d MiB, %.2f times; %s; %d answers later than 11 s", most>>20, float64(most)/float64(before), s.said(), s.slow.Load())
	if spool {
		if err := g.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = g.Wait()
		g = s.gatewayProgram(true)
		t.Log("killed and started again")
	}
	most = max(most, s.during(*soakAway-half, g))
	t.Logf("after %s: RSS %d MiB, %.2f times; %s; %d answers later than 11 s", *soakAway, most>>20, float64(most)/float64(before), s.said(), s.slow.Load())
	if float64(most) > 1.3*float64(before) {
		t.Errorf("RSS grew from %d to %d MiB", before>>20, most>>20)
	}
	if s.slow.Load() > 0 {
		t.Errorf("%d answers came after the deadline", s.slow.Load())
	}
	s.broker.start()
	back := time.Now()
	for s.probe() != 202 {
		if time.Since(back) > time.Minute {
			t.Fatal("no recovery without a restart")
		}
		pause(t.Context(), 100*time.Millisecond)
	}
	t.Logf("202 again %s after Kafka was back", time.Since(back).Round(10*time.Millisecond))
	s.verify()
}

// probe sends one event that does not count.
func (s *soak) probe() int {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.SetRequestURI(s.url + "/api/v1/events")
	req.Header.SetMethod("POST")
	req.Header.SetContentType("application/json")
	req.Header.Set("Authorization", "Bearer "+key)
	req.SetBodyString(`{"message":"-1"}`)
	if err := fasthttp.Do(req, resp); err != nil {
		return 0
	}
	return resp.StatusCode()
}

// verify compares what was acknowledged with the table, once as many rows are there.
func (s *soak) verify() {
	t := s.t
	consumer := exec.CommandContext(context.Background(), s.bin+"consumer", append(s.kafka(),
		"--clickhouse-dsn", s.dsn, "--kafka-group", s.name, "--admin-addr", "127.0.0.1:0")...)
	if err := consumer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = consumer.Process.Kill()
		_ = consumer.Wait()
	})
	// The spool is empty when the number of records stays the same.
	last := int64(-1)
	s.within(20*time.Minute, "all records read", func() bool {
		n := s.records(s.name)
		same := n == last && s.tryLag() == 0
		last = n
		return pause(t.Context(), 2*time.Second) && same
	})
	rows, err := s.db.Query(t.Context(), "SELECT toInt64(message) FROM events WHERE message != '-1'")
	if err != nil {
		t.Fatal(err)
	}
	seen := make([]bool, s.next.Load())
	doubled, total := 0, 0
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		if seen[n] {
			doubled++
		}
		seen[n] = true
		total++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	acked, missing := 0, 0
	for n := range seen {
		if s.acked[n].Load() {
			acked++
			if !seen[n] {
				missing++
			}
		}
	}
	t.Logf("%d acknowledged, %d missing, %d doubled, %d rows", acked, missing, doubled, total)
	if missing+doubled > 0 || acked == 0 {
		t.Errorf("%d missing, %d doubled of %d", missing, doubled, acked)
	}
}

// pause waits and says whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
