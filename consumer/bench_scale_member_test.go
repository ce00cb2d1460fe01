package consumer

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// buildConsumer builds the program.
func buildConsumer(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "consumer")
	if out, err := exec.Command("go", "build", "-o", path, "sluice/cmd/consumer").CombinedOutput(); err != nil {
		b.Fatalf("%s, error %v", out, err)
	}
	return path
}

// scaleMember is the consumer under measurement.
type scaleMember struct {
	cmd   *exec.Cmd
	began time.Time
	name  string // of its files among the profiles
	admin string // host:port
}

// start starts the program on an empty table, and waits until its admin port answers.
func (s *scaleBench) start(b *testing.B, program, dsn string) *scaleMember {
	b.Helper()
	admin := freePort(b)
	args := []string{
		"--kafka-brokers=" + strings.Join(s.conn.Brokers, ","), "--kafka-topic=" + s.conn.Topic,
		"--kafka-dead-topic=" + s.conn.DeadTopic, "--kafka-group=" + s.database, "--clickhouse-dsn=" + dsn,
		"--admin-addr=" + admin, "--drain-delay=0s", "--log-format=text",
	}
	if *scaleAlone {
		args = append(args, "--block-partitions=1")
	}
	if *scaleProfiles != "" {
		args = append(args, "--log-level=debug")
	}
	m := &scaleMember{cmd: exec.Command(program, args...), began: time.Now(), name: strconv.Itoa(s.partitions), admin: admin}
	m.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "SLUICE_") })
	if *scaleProfiles != "" {
		out, err := os.Create(filepath.Join(*scaleProfiles, m.name+".log"))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = out.Close() })
		m.cmd.Stderr = out
	}
	if err := m.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	for {
		if _, err := m.get("/metrics"); err == nil {
			return m
		} else if time.Since(m.began) > time.Minute {
			b.Fatal(err)
		}
		<-time.After(time.Millisecond)
	}
}

// freePort is an address that nobody listens on.
func freePort(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	return l.Addr().String()
}

func (m *scaleMember) stop(b *testing.B) {
	b.Helper()
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Error(err)
	}
	if err := m.cmd.Wait(); err != nil {
		b.Errorf("the consumer ended with %v", err)
	}
}

func (m *scaleMember) get(path string) ([]byte, error) {
	resp, err := http.Get("http://" + m.admin + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	return io.ReadAll(resp.Body)
}

// figures are the metrics without labels.
func (m *scaleMember) figures(b *testing.B) map[string]float64 {
	b.Helper()
	text, err := m.get("/metrics")
	if err != nil {
		b.Fatal(err)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				out[name] = v
			}
		}
	}
	return out
}

func (m *scaleMember) figure(b *testing.B, name string) float64 {
	b.Helper()
	v, ok := m.figures(b)[name]
	if !ok {
		b.Fatalf("no metric %s", name)
	}
	return v
}

// profile takes a CPU profile of three seconds, and the other profiles when the function is called that it returns.
func (m *scaleMember) profile(b *testing.B, phase string) (end func()) {
	b.Helper()
	if *scaleProfiles == "" {
		return func() {}
	}
	keep := func(kind, path string) {
		text, err := m.get(path)
		if err == nil {
			err = os.WriteFile(fmt.Sprintf("%s/%s-%s.%s", *scaleProfiles, m.name, phase, kind), text, 0o600)
		}
		if err != nil {
			b.Error(err)
		}
	}
	var cpu sync.WaitGroup
	cpu.Go(func() { keep("cpu", "/debug/pprof/profile?seconds=3") })
	return func() {
		cpu.Wait()
		keep("goroutine", "/debug/pprof/goroutine")
		keep("heap", "/debug/pprof/heap")
	}
}

// brokerPorts are the ports of all brokers, in hexadecimal.
func (s *scaleBench) brokerPorts(b *testing.B) map[string]bool {
	b.Helper()
	answer, err := kmsg.NewPtrMetadataRequest().RequestWith(b.Context(), s.client)
	if err != nil {
		b.Fatal(err)
	}
	ports := map[string]bool{}
	for _, one := range answer.Brokers {
		ports[fmt.Sprintf("%04X", one.Port)] = true
	}
	return ports
}

// connections counts the open connections of the program to some ports. Without /proc there are none.
func (m *scaleMember) connections(b *testing.B, ports map[string]bool) (n int) {
	b.Helper()
	process := fmt.Sprintf("/proc/%d/", m.cmd.Process.Pid)
	sockets := map[string]bool{}
	files, _ := filepath.Glob(process + "fd/*")
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil {
			sockets[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
		}
	}
	const remote, state, inode, established = 2, 3, 9, "01"
	for _, table := range []string{"net/tcp", "net/tcp6"} {
		text, _ := os.ReadFile(process + table)
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) <= inode || f[state] != established || !sockets[f[inode]] {
				continue
			}
			if _, port, ok := strings.Cut(f[remote], ":"); ok && ports[port] {
				n++
			}
		}
	}
	return n
}
