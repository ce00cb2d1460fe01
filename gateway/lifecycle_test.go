package gateway

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"sluice/gateway/broker/brokertest"
	"sluice/gateway/projects"
)

// atATime is how many parallel tests run side by side unless -parallel says otherwise. Most of them wait.
const atATime = "8"

func TestMain(m *testing.M) {
	if role := os.Getenv(rivalRole); role != "" {
		if err := runRival(role); err != nil {
			panic(err)
		}
		return
	}
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", atATime); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Its loop ends up to ten seconds after the server.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// TestDrain: a request under way when the stop comes is answered, and its event is kept.
func TestDrain(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	// The delay is long enough to ask for its health while it drains.
	s := serve(t, func(_ *Config, d *Deps) { d.DrainDelay = 2 * time.Second })
	s.producer.Hold = hold
	answered := make(chan reply, 1)
	go func() { answered <- s.single(`{"message":"in flight"}`) }()
	waitUntil(t, func() bool { return s.publisher.Inflight() > 0 })
	if err := s.Live(); err != nil { // a batch that waits for Kafka is no stall
		t.Error(err)
	}

	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	waitUntil(t, func() bool { return s.draining.Load() })
	if err := s.Ready(); err == nil {
		t.Error("ready while draining")
	}
	if got := s.do(request{path: pathHealth, method: http.MethodGet}); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("health while draining: %d", got.status)
	}
	close(hold)
	if got := <-answered; got.status != 202 {
		t.Errorf("in flight: got %d %s", got.status, got.text)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	if n := len(s.producer.Stored()); n != 1 {
		t.Errorf("%d events kept", n)
	}
}

func TestOccupiedPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := &Gateway{cfg: Config{HTTPAddr: l.Addr().String()}}
	if _, err := g.Listen(); err == nil || !strings.Contains(err.Error(), "--http-addr") {
		t.Errorf("got %v", err)
	}
}

func TestProjectsAreReloaded(t *testing.T) {
	t.Parallel()
	s := serve(t, withProjects(t, limited(2, "60s")))
	write := func(text string) {
		t.Helper()
		next := s.cfg.ProjectsFile + ".next"
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, s.cfg.ProjectsFile); err != nil {
			t.Fatal(err)
		}
	}
	status := func() int { return s.single(`{"message":"x"}`).status }
	if got := status(); got != 202 {
		t.Fatalf("got %d", got)
	}
	// A broken file keeps the last good one in force.
	write("projects: [{id: demo, keys: 7}]")
	waitUntil(t, s.file.Broken)
	if got := status(); got != 202 {
		t.Fatalf("with a broken file: got %d", got)
	}
	// A reload that leaves the limit unchanged gives no fresh burst.
	write(limited(2, "60s") + "\n# changed\n")
	if got := status(); got != 429 {
		t.Fatalf("after a reload: got %d", got)
	}
	write(strings.Replace(limited(2, "60s"), hash(testKey), hash("other"), 1))
	waitUntil(t, func() bool { return status() == 401 })
	write(limited(5, "60s") + "    disabled: true\n")
	waitUntil(t, func() bool { return status() == 403 })
}

// TestStopBeforeTheServerListens: a stop may come before the server listens. The gateway ends all the same.
func TestStopBeforeTheServerListens(t *testing.T) {
	t.Parallel()
	for range 20 {
		g, err := New(Config{
			HTTPAddr: "127.0.0.1:0", RequestTimeout: time.Second, HTTPIdleTimeout: time.Minute, MaxEventBytes: 1 << 20,
			MaxBulkBytes: 5 << 20, MaxHeaderBytes: 16 << 10, MaxInflightBytes: 64 << 20, PartitionBy: "none",
		}, Deps{
			Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), DrainTimeout: 10 * time.Second,
			Projects: projects.One("demo", testKey), Producer: &brokertest.Memory{},
		})
		require.NoError(t, err)
		l, err := g.Listen()
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		stop()
		require.NoError(t, g.Run(ctx, l))
	}
}
