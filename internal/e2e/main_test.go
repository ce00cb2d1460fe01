package e2e

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sluice/internal/embedded"
)

// kafkaSetting names the Apache Kafka to run on instead of the embedded broker.
const kafkaSetting = "SLUICE_TEST_KAFKA"

var plain = flag.Bool("plain", false, "build the programs without the race detector and crash points; benchmarks always do")

// lab is what all scenarios share.
var lab struct {
	brokers string // host:port
	apache  bool
	engine  *embedded.Engine
	bin     string // folder with the programs

	// killers is the engine of scenarios that kill clients: a client's death can end an embedded engine, though less
	// often behind a front. The engine starts when the first of these scenarios asks for it.
	killers func() (*embedded.Engine, error)
}

// atATime is how many scenarios run side by side unless -parallel says something else. Most of their time they wait.
const atATime = "6"

func TestMain(m *testing.M) {
	embedded.Main()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	if !given("test.parallel") {
		if err := flag.Set("test.parallel", atATime); err != nil {
			return fail(err)
		}
	}
	dir, err := os.MkdirTemp("", "sluice-e2e-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	ctx, stop := context.WithCancel(context.Background())
	var ended []chan error
	defer func() {
		stop()
		for _, e := range ended {
			<-e
		}
	}()
	start := func(what string, ready <-chan struct{}, run func(context.Context) error) error {
		done := make(chan error, 1)
		go func() { done <- run(ctx) }()
		select {
		case <-ready:
			ended = append(ended, done)
			return nil
		case err := <-done:
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	// The log says when an engine is started again.
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{Level: slog.LevelWarn}))

	if lab.bin, err = build(filepath.Join(dir, "bin")); err != nil {
		return fail(err)
	}
	engine := func(name string, front bool) (*embedded.Engine, error) {
		e := embedded.NewEngine(embedded.EngineConfig{
			TCPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", DataDir: filepath.Join(dir, name),
			Restart: true, Front: front, Progress: os.Stderr, Logger: log,
		})
		return e, start("engine", e.Ready(), e.Run)
	}
	lab.killers = sync.OnceValues(func() (*embedded.Engine, error) { return engine("killers", true) })
	// The front keeps the engine alive if a program is killed within a query. Benchmarks measure without one.
	if lab.engine, err = engine("clickhouse", !given("test.bench")); err != nil {
		return fail(err)
	}
	if lab.brokers = os.Getenv(kafkaSetting); lab.brokers != "" {
		lab.apache = true
		fmt.Println("scenarios run on the Kafka at", lab.brokers)
		defer printSums()
		return m.Run()
	}
	broker := embedded.NewBroker(embedded.BrokerConfig{Addr: "127.0.0.1:0", DataDir: filepath.Join(dir, "kafka")})
	if err := start("broker", broker.Ready(), broker.Run); err != nil {
		return fail(err)
	}
	lab.brokers = broker.Addr()
	fmt.Printf("scenarios run on the embedded broker; set %s=host:port for Apache Kafka\n", kafkaSetting)
	defer printSums()
	return m.Run()
}

// given says whether a flag is on the command line.
func given(name string) (there bool) {
	flag.Visit(func(f *flag.Flag) { there = there || f.Name == name })
	return there
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "e2e:", err)
	return 1
}

// build makes the three programs, with the race detector, because a race in them is as bad as one in a test, and with
// the points at which the consumer may be killed. Benchmarks and -plain get them as everybody builds them.
func build(dir string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	// Without symbols the linker takes half the time.
	args := []string{"build", "-ldflags", "-s -w", "-o", dir + string(filepath.Separator)}
	if flag.Lookup("test.bench").Value.String() == "" && !*plain {
		args = append(args, "-race", "-tags", "crashpoints")
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "sluice/cmd/...")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return dir, nil
}
