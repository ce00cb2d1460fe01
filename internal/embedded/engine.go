package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"sluice/internal/embedded/dirlock"
	"sluice/internal/embedded/fetch"
)

const (
	// startDeadline is how long an engine may take until it answers. Loading many parts from a slow disk takes long.
	startDeadline = 3 * time.Minute
	// stopGrace is how long an engine may take to shut down before it is killed.
	stopGrace = 15 * time.Second
	// portAttempts is how often a start is tried if the system chooses the ports, because another process may take one.
	portAttempts = 4
	// restartPause is the wait before a restart. restartsAtOnce is how many restarts in a row are allowed. An engine
	// that lived for restartSettled resets the count.
	restartPause   = 200 * time.Millisecond
	restartsAtOnce = 10
	restartSettled = 3 * time.Second
)

// ErrNoEngine means that this machine cannot run ClickHouse. [Engine.Run] returns errors that wrap it, and their text
// suggests remedies.
var ErrNoEngine = fetch.ErrNone

// EngineConfig holds the settings of an [Engine].
type EngineConfig struct {
	// TCPAddr is the address of the native protocol, as host:port, for instance "127.0.0.1:9000". It must be loopback.
	// Port 0 takes any free port.
	TCPAddr string
	// HTTPAddr is the address of the HTTP interface with /play and /dashboard, as host:port, for instance
	// "127.0.0.1:8123". It must be loopback. Port 0 takes any free port.
	HTTPAddr string
	// DataDir holds tables, logs and the generated configuration. Run creates the directory if it is missing. Two
	// engines never share one.
	DataDir string
	// CacheDir holds fetched libraries, for all programs. Empty: "sluice" in the user's cache directory.
	CacheDir string
	// Progress receives a progress bar, or a line every few seconds if it is not a terminal. Nil shows nothing.
	Progress io.Writer
	// Restart starts the engine again, at the same addresses, after it ended by itself. The library is less robust than
	// the server: an exception that escapes the handler of a connection ends the process. A client that dies during an
	// insert can cause one. Restart has no effect before the engine was first ready.
	Restart bool
	// Front puts a listener of this process before the native port, so that a wrong password or database does not end
	// the engine. Every byte of the native protocol then also passes through this process.
	Front bool
	// Extra returns more of ClickHouse's configuration for the given port of the native protocol: elements of its root,
	// as XML, for instance remote_servers and macros. Nil adds nothing.
	Extra func(tcpPort string) string
	// Logger receives life-cycle lines. Nil discards them.
	Logger *slog.Logger
}

// Engine is a ClickHouse server in a process of its own. Its user "default" has no password and all rights.
type Engine struct {
	cfg   EngineConfig
	log   *slog.Logger
	ready chan struct{}
	pid   atomic.Int64
	// tcp, http and front are written before ready is closed.
	tcp, http string
	front     *front // nil without a front
	// Tests replace source, which finds the engine, and patience: how long to wait until a previous engine stops.
	source   func(context.Context) (fetch.Source, error)
	patience time.Duration
}

// NewEngine returns an engine. It opens nothing; see [Engine.Run].
func NewEngine(cfg EngineConfig) *Engine {
	e := &Engine{cfg: cfg, log: logger(cfg.Logger), ready: make(chan struct{}), patience: lockPatience}
	e.source = func(ctx context.Context) (fetch.Source, error) {
		return fetch.Ensure(ctx, fetch.Config{
			CacheDir: cfg.CacheDir, Progress: cfg.Progress, Logger: e.log, CanLoad: canLoad,
		})
	}
	return e
}

// Ready returns a channel that closes once the engine answers queries. The channel stays open if Run fails before that.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// TCPAddr returns the address of the native protocol, as host:port. It is valid after Ready closes.
func (e *Engine) TCPAddr() string {
	addr := e.whenReady(&e.tcp)
	if addr != "" && e.front != nil {
		return e.front.addr()
	}
	return addr
}

// HTTPAddr returns the address of the HTTP interface, as host:port. It is valid after Ready closes.
func (e *Engine) HTTPAddr() string { return e.whenReady(&e.http) }

// PID returns the engine's process id, or 0 while no engine runs.
func (e *Engine) PID() int { return int(e.pid.Load()) }

func (e *Engine) whenReady(addr *string) string {
	select {
	case <-e.ready:
		return *addr
	default:
		return ""
	}
}

// Run fetches the engine if it is not cached, starts it and waits. When ctx ends, Run shuts the engine down, kills it
// after 15 s, and returns nil. Close connections first: the engine waits up to 5 s for open ones.
//
// Run fails if this machine has no engine ([ErrNoEngine]), if an address is in use, if another process uses the data
// directory, if the engine does not start, or if it ends by itself without Restart. Neither the process nor its ports
// outlive Run. An Engine runs once. To restart, create another one on the same directory.
//
// The program's main must have called [Main].
func (e *Engine) Run(ctx context.Context) error {
	err := e.run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil // ctx ended before the start
	}
	if err != nil {
		return fmt.Errorf("embedded engine: %w", err)
	}
	return nil
}

func (e *Engine) run(ctx context.Context) error {
	if !mainCalled {
		return errors.New("main must call embedded.Main first: without it this program cannot become the engine")
	}
	source, err := e.source(ctx)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(e.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	lock, err := dirlock.Take(ctx, dir, e.patience, e.log)
	if err != nil {
		return err
	}
	defer lock.Release()
	if err := e.openFront(); err != nil {
		return err
	}
	if e.front != nil {
		defer e.front.close()
	}
	for attempt := 1; ; attempt++ {
		child, err := e.start(ctx, source, layout(dir), lock)
		if err == nil {
			if e.front != nil {
				e.front.serve(e.tcp, e.http)
			}
			close(e.ready)
			return e.keep(ctx, child, source, layout(dir), lock)
		}
		picked := anyPort(e.cfg.TCPAddr) || anyPort(e.cfg.HTTPAddr)
		if !picked || attempt == portAttempts || ctx.Err() != nil || !errors.Is(err, errEnded) {
			return err
		}
		e.log.Warn("engine did not start on the ports that the system chose, trying others", "error", err)
	}
}

// openFront opens the native port for the front. The engine then takes another one.
func (e *Engine) openFront() error {
	if !e.cfg.Front {
		return nil
	}
	f, err := newFront(e.cfg.TCPAddr)
	if err != nil {
		return fmt.Errorf("native protocol: %w", err)
	}
	host, _, err := net.SplitHostPort(f.addr())
	if err != nil {
		return fmt.Errorf("native protocol: %w", err)
	}
	e.front, e.cfg.TCPAddr = f, net.JoinHostPort(host, "0")
	return nil
}

// start starts one process and waits until it answers. After an error no process is left.
func (e *Engine) start(ctx context.Context, source fetch.Source, dir layout, lock *dirlock.Lock) (*child, error) {
	began := time.Now()
	if err := e.claim(); err != nil {
		return nil, err
	}
	if err := dir.writeConfig(e.tcp, e.http, e.cfg.Extra); err != nil {
		return nil, err
	}
	child, err := startChild(source, dir, lock)
	if err != nil {
		return nil, err
	}
	e.pid.Store(int64(child.pid()))
	if err := e.await(ctx, child); err != nil {
		child.stop(stopGrace)
		e.pid.Store(0)
		return nil, err
	}
	tcp := e.tcp
	if e.front != nil {
		tcp = e.front.addr()
	}
	e.log.Info("embedded engine ready", "tcp", tcp, "http", e.http, "pid", child.pid(), "data", e.cfg.DataDir,
		"took", time.Since(began).Round(time.Millisecond))
	return child, nil
}

// claim chooses the addresses, once: a restart uses the same ones.
func (e *Engine) claim() error {
	tcp, err := claim(e.cfg.TCPAddr)
	if err != nil {
		return fmt.Errorf("native protocol: %w", err)
	}
	http, err := claim(e.cfg.HTTPAddr)
	if err != nil {
		return fmt.Errorf("HTTP interface: %w", err)
	}
	if e.whenReady(&e.tcp) == "" {
		e.tcp, e.http = tcp, http
	}
	return nil
}

// keep watches the engine and restarts it as configured.
func (e *Engine) keep(ctx context.Context, c *child, source fetch.Source, dir layout, lock *dirlock.Lock) error {
	e.cfg.TCPAddr, e.cfg.HTTPAddr = e.tcp, e.http
	restarts, since := 0, time.Now()
	for err := e.attend(ctx, c); ; {
		if err == nil || !e.cfg.Restart || !errors.Is(err, errEnded) {
			return err
		}
		if time.Since(since) > restartSettled {
			restarts = 0
		}
		if restarts++; restarts > restartsAtOnce {
			return err
		}
		gone := time.Now()
		e.log.Warn("embedded engine ended by itself, starting again; acknowledged inserts are on disk", "error", err)
		if restarts > 1 {
			select {
			case <-time.After(restartPause):
			case <-ctx.Done():
				return nil
			}
		}
		since = time.Now()
		if c, err = e.start(ctx, source, dir, lock); err == nil {
			e.log.Info("embedded engine is back", "away", time.Since(gone).Round(time.Millisecond))
			err = e.attend(ctx, c)
		}
	}
}

// await returns once both ports answer.
func (e *Engine) await(ctx context.Context, c *child) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startDeadline, fmt.Errorf("no answer within %s", startDeadline))
	defer cancel()
	answers := make(chan error, 1)
	go func() { answers <- untilAnswers(ctx, e.tcp, e.http) }()
	select {
	case err := <-answers:
		if err != nil {
			return c.explain(err)
		}
		return nil
	case <-c.ended:
		cancel()
		<-answers //nolint:errcheck // the process has ended, that is the reason
		return c.failure()
	}
}

// attend waits until ctx or the process ends.
func (e *Engine) attend(ctx context.Context, c *child) error {
	defer e.pid.Store(0)
	tick := time.NewTicker(crashInterval)
	defer tick.Stop()
	for running := true; running; {
		select {
		case <-c.ended:
			return c.failure()
		case <-ctx.Done():
			running = false
		case <-tick.C:
			if c.crashing() { // the engine writes its stack trace for seconds and answers no query
				killGroup(c.cmd.Process)
				<-c.ended
				return c.failure()
			}
		}
	}
	began := time.Now()
	killed := c.stop(stopGrace)
	if killed {
		e.log.Warn("embedded engine did not stop in time, killed", "grace", stopGrace)
	}
	e.log.Info("embedded engine stopped", "took", time.Since(began).Round(time.Millisecond))
	return nil
}
