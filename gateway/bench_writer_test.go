//go:build unix

package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// program is a server in a process of its own, with what was measured of it.
type program struct {
	name string
	addr string
	pid  int

	rates, p99s, cpus []float64 // requests/s, ms, µs a request
}

// writer compares the gateway with a Fiber server that uses kafka-go's Writer and checks nothing, and with an empty
// Fiber handler. Each is a process of its own, the gateway as cmd/gateway builds it, so that processor time is the
// program's alone. The figures are medians; the ratios are ratios of medians, to rivalWriter.
//
// Apache Kafka takes a minute under load until it is fast: give it a first run that does not count.
func (e *edge) writer(b *testing.B) {
	programs := []*program{e.ownGateway(b), e.rival(b, rivalWriter), e.rival(b, rivalSticky), e.rival(b, rivalEmpty)}
	requests := requestsOf(1000)
	measure := func(p *program, d time.Duration) measured {
		return hammer{addr: p.addr, connections: 256, requests: requests}.run(b, d)
	}
	d := time.Duration(*edgeSeconds * float64(time.Second))
	for _, p := range programs {
		measure(p, 2*time.Second) // warm: the gateway adapts its garbage collector within a second
	}
	for range *edgePairs {
		for _, p := range programs {
			before := cpuOf(b, p.pid)
			got := measure(p, d)
			cpu := cpuOf(b, p.pid) - before
			p.rates = append(p.rates, got.rate())
			p.p99s = append(p.p99s, float64(got.p99().Microseconds())/1e3)
			p.cpus = append(p.cpus, float64(cpu.Microseconds())/float64(got.requests))
		}
	}
	for _, p := range programs {
		b.Logf("%-7s requests/s %.0f  p99 ms %.1f  µs CPU a request %.1f  RSS MiB %.0f",
			p.name, p.rates, p.p99s, p.cpus, memoryOf(b, p.pid, "VmRSS"))
		b.ReportMetric(median(p.rates), p.name+"/s")
		b.ReportMetric(median(p.p99s), p.name+"_p99_ms")
		b.ReportMetric(median(p.cpus), p.name+"_cpu_us")
	}
	b.ReportMetric(median(programs[0].rates)/median(programs[1].rates), "ratio")
	b.ReportMetric(median(programs[0].cpus)/median(programs[1].cpus), "cpu_ratio")
	b.ReportMetric(0, "ns/op")
}

// ownGateway starts a gateway as it is shipped.
func (e *edge) ownGateway(b *testing.B) *program {
	b.Helper()
	path := filepath.Join(b.TempDir(), "projects.yaml")
	manyProjects(b, path, 2, "another key")
	intoPlace(b, path)
	addr, pid := startGateway(b, buildGateway(b),
		"--kafka-brokers="+strings.Join(e.kafka.Brokers, ","), "--kafka-topic="+e.kafka.Topic, "--projects-file="+path)
	return &program{name: "gateway", addr: addr, pid: pid}
}

// rival starts the test program as a rival.
func (e *edge) rival(b *testing.B, role string) *program {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(b.Context()), self)
	cmd.Env = []string{
		rivalRole + "=" + role, rivalKafka + "=" + strings.Join(e.kafka.Brokers, ","), rivalTopic + "=" + e.kafka.Topic,
	}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		if err := cmd.Wait(); err != nil {
			b.Errorf("%s: %v", role, err)
		}
	})
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatalf("%s: %v", role, err)
	}
	return &program{name: role, addr: strings.TrimSpace(addr), pid: cmd.Process.Pid}
}

// cpuOf returns the processor time that a process has used, in steps of 10 ms.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skipf("no processor time of other processes here: %v", err)
	}
	const user, system = 11, 12 // fields behind the name, which is in brackets; see proc_pid_stat(5)
	_, rest, _ := strings.Cut(string(text), ") ")
	fields, ticks := strings.Fields(rest), 0
	for _, i := range []int{user, system} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
