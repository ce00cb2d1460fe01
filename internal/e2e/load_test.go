package e2e

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sluice/internal/embedded"
)

func TestLoadVerifies(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 6)
	p.startGateway("127.0.0.1:0")
	p.startConsumer()
	for name, flags := range map[string][]string{
		"bulk":   {"--events", "20000", "--bulk", "500", "--repeat", "0.1"},
		"single": {"--events", "1500", "--event-size", "1400"},
		"gzip":   {"--events", "10000", "--bulk", "200", "--gzip"},
		"story":  {"--events", "10000", "--realistic", "--repeat", "0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out := runs(t, "sluice", p.load(flags...)...); code != 0 {
				t.Fatalf("exit %d\n%s", code, out)
			}
		})
	}
}

// TestKillEverything: gateway, consumer and engine are killed in the middle of a load, and started again. Every acknowledged
// event is a row, once.
func TestKillEverything(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "clickhouse")
	cfg := engineIn(dir, "127.0.0.1:0", "127.0.0.1:0")
	cfg.Restart = true
	engine := startEngine(t, cfg)
	p := newPipelineOn(t, 6, engine.TCPAddr())
	g := p.startGateway("127.0.0.1:0")
	addr := p.url[len("http://"):]
	c := p.startConsumer()

	load := start(t, "sluice", p.load("--events", "24000", "--bulk", "50", "--rate", "2400", "--connections", "8")...)
	stored := func(n uint64) func() bool {
		return func() bool { return p.tryScalar("SELECT count() FROM events_raw") >= n }
	}
	p.eventually("the load under way", stored(2_000))
	g.kill()
	p.startGateway(addr)
	p.eventually("more rows after the gateway's death", stored(6_000))
	c.kill()
	p.startConsumer()
	p.eventually("more rows after the consumer's death", stored(10_000))
	old := engine.PID()
	kill(t, old)
	p.eventually("the engine back", func() bool { pid := engine.PID(); return pid != 0 && pid != old })

	if code := load.wait(5 * time.Minute); code != 0 {
		t.Fatalf("load ended with %d\n%s", code, load.output())
	}
	if n := p.records(p.name + ".dead"); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// tryScalar is scalar while the engine may be away: 0 then.
func (p *pipeline) tryScalar(query string) uint64 {
	var n uint64
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := p.db.QueryRow(ctx, query).Scan(&n); err != nil {
		return 0
	}
	return n
}

// runningEngine is an engine of a scenario's own, which may be killed.
type runningEngine struct {
	*embedded.Engine
	t    testing.TB
	stop context.CancelFunc
	done chan error
}

func startEngine(t testing.TB, cfg embedded.EngineConfig) *runningEngine {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	e := &runningEngine{Engine: embedded.NewEngine(cfg), t: t, done: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.done <- e.Run(ctx)
	}()
	t.Cleanup(func() {
		select {
		case err, unexpected := <-e.done:
			if !unexpected {
				break
			}
			t.Logf("the engine had ended: %v\n%s", err, tail(filepath.Join(cfg.DataDir, "engine.err.log")))
		default:
		}
		cancel()
		<-ended
	})
	select {
	case <-e.Ready():
	case err := <-e.done:
		t.Fatalf("engine: %v", err)
	}
	return e
}

// tail is the end of a file.
func tail(path string) []byte {
	text, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	return text[max(0, len(text)-8<<10):]
}

// kill ends the engine as a crash does.
func (e *runningEngine) kill() {
	e.t.Helper()
	kill(e.t, e.PID())
	if err := <-e.done; err == nil {
		e.t.Fatal("the engine was killed, and says that it ended well")
	}
	close(e.done)
}
