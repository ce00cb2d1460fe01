package e2e

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ratelimit/redistest"
)

// noiseLasts is how long each outage of TestOutagesAreLoggedOnce lasts under load.
const noiseLasts = 12 * time.Second

// mostLines is how many lines above INFO and DEBUG, and about recoveries, one outage may cost one program.
const mostLines = 20

// relay passes connections on to a server, and can be cut.
type relay struct {
	t        *testing.T
	addr, to string

	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	r := &relay{t: t, addr: free(t), to: to}
	r.open()
	t.Cleanup(r.cut)
	return r
}

func (r *relay) open() {
	r.t.Helper()
	l, err := net.Listen("tcp", r.addr)
	require.NoError(r.t, err)
	r.mu.Lock()
	r.listener = l
	r.mu.Unlock()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", r.to)
			if err != nil {
				_ = in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			r.mu.Unlock()
			pass := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				_, _ = to.Close(), from.Close()
			}
			go pass(out, in)
			go pass(in, out)
		}
	}()
}

// cut ends all connections, and takes no more.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.listener.Close()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// underLoad sends events, as fast as they are answered, until the returned function is called.
func (p *pipeline) underLoad() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			for ctx.Err() == nil {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/api/v1/events", strings.NewReader(`{"message":"under load"}`))
				if err != nil {
					return
				}
				req.Header.Set("Authorization", "Bearer "+key)
				if resp, err := http.DefaultClient.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
				<-pace.C
			}
		})
	}
	return func() {
		cancel()
		clients.Wait()
	}
}

// said returns how many lines a program has said so far.
func (p *program) said() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lines)
}

// quiet checks that a program has said few lines since a number of lines.
func (p *program) quiet(since int) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.t.Logf("%s said %d lines", p.name, len(p.lines)-since)
	assert.Less(p.t, len(p.lines)-since, mostLines, "%s:\n%s", p.name, strings.Join(p.lines[since:], "\n"))
}

// TestOutagesAreLoggedOnce: when a part of the pipeline goes away under load, the programs say what is wrong, say when it
// is over, and say little in between.
func TestOutagesAreLoggedOnce(t *testing.T) {
	t.Parallel()
	t.Run("kafka", func(t *testing.T) {
		t.Parallel()
		p := newPipeline(t, 4)
		broker := &outage{t: t, addr: "127.0.0.1:0", dir: t.TempDir()}
		broker.start()
		p.brokers, p.settled = broker.addr, true // its account is on the other broker
		code, out := runs(t, "sluice", append([]string{"topics", "apply", "--replication", "1", "--min-isr", "1", "--partitions", "4"},
			p.kafka()...)...)
		require.Zero(t, code, out)
		outageOf(t, p, func() { broker.stop() }, broker.start, "kafka is away", "kafka is back", "kafka does not answer",
			"kafka answers again")
	})
	t.Run("clickhouse", func(t *testing.T) {
		t.Parallel()
		p := newPipeline(t, 4)
		engine := newRelay(t, lab.engine.TCPAddr())
		p.dsn = strings.Replace(p.dsn, lab.engine.TCPAddr(), engine.addr, 1)
		outageOf(t, p, engine.cut, engine.open, "", "", "clickhouse does not answer", "clickhouse answers again")
	})
	t.Run("projects file", func(t *testing.T) {
		t.Parallel()
		p := newPipeline(t, 1)
		p.settled = true // nobody consumes
		g := p.startGateway("127.0.0.1:0")
		good, err := os.ReadFile(p.projects)
		require.NoError(t, err)
		defer p.underLoad()()
		before := g.said()
		require.NoError(t, os.WriteFile(p.projects, []byte("projects: ["), 0o600))
		g.says("projects file is broken")
		<-time.After(noiseLasts)
		require.NoError(t, os.WriteFile(p.projects, append(good, '\n'), 0o600))
		p.eventually("the file is in force again", func() bool {
			return strings.Count(g.output(), "projects file is in force") > 1
		})
		g.quiet(before)
	})
	t.Run("limit store", func(t *testing.T) {
		t.Parallel()
		p, store := newPipeline(t, 1), redistest.Start(t)
		p.settled = true // nobody consumes
		p.projects = p.limitedProjects(1_000_000, "60s")
		g := p.startGateway("127.0.0.1:0", "--limit-store", store.URL())
		defer p.underLoad()()
		before := g.said()
		store.Kill()
		g.says("limit store is away")
		<-time.After(noiseLasts)
		store.Start()
		g.says("limit store is back")
		g.quiet(before)
	})
}

// outageOf begins an outage under load and ends it. The patterns are what gateway and consumer say then; "" for
// nothing.
func outageOf(t *testing.T, p *pipeline, begin, end func(), gatewayBegin, gatewayEnd, consumerBegin, consumerEnd string) {
	t.Helper()
	g := p.startGateway("127.0.0.1:0", "--request-timeout", "2s")
	c := p.startConsumer()
	defer p.underLoad()()
	p.eventually("rows", func() bool { return p.scalar("SELECT count() FROM events") > 0 })
	gatewayBefore, consumerBefore := g.said(), c.said()
	begin()
	if gatewayBegin != "" {
		g.says(gatewayBegin)
	}
	c.says(consumerBegin)
	<-time.After(noiseLasts)
	rows := p.scalar("SELECT count() FROM events")
	end()
	if gatewayEnd != "" {
		g.says(gatewayEnd)
	}
	c.says(consumerEnd)
	p.eventually("more rows", func() bool { return p.scalar("SELECT count() FROM events") > rows })
	g.quiet(gatewayBefore)
	c.quiet(consumerBefore)
}
