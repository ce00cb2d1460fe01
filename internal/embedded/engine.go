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
)

const (
	// startDeadline is how long an engine may take until it answers; loading many parts from a slow disk is what takes time.
	startDeadline = 3 * time.Minute
	// stopGrace is how long an engine may take to shut down in order before it is killed.
	stopGrace = 15 * time.Second
	// portAttempts is how often a start is tried when the system picks the ports: another process can take one in between.
	portAttempts = 4
	// restartPause keeps an engine that ends at once from being started all the time, restartsAtOnce how often that may
	// happen: an engine that lived for restartSettled starts from zero.
	restartPause   = 200 * time.Millisecond
	restartsAtOnce = 10
	restartSettled = 3 * time.Second
)

// EngineConfig says where an [Engine] listens, keeps its data and comes from.
type EngineConfig struct {
	// TCPAddr is host:port of the native protocol, such as "127.0.0.1:9000". Loopback only; port 0 takes any free port.
	TCPAddr string
	// HTTPAddr is host:port of the HTTP interface, such as "127.0.0.1:8123", with /play and /dashboard. Loopback only; port 0
	// takes any free port.
	HTTPAddr string
	// DataDir holds tables, logs and the generated configuration. It is made if missing. Two engines never share one.
	DataDir string
	// CacheDir holds what was fetched, for all programs and checkouts. Empty: "sluice" in the user's cache directory.
	CacheDir string
	// Progress receives a progress bar, or a line every few seconds if it is not a terminal. Nil shows nothing.
	Progress io.Writer
	// Restart starts the engine again, at the same addresses, when it ends by itself. The library is less sturdy than the
	// server: an exception that leaves a connection's handler, such as a client's death in the middle of an insert can
	// cause, ends the process. It has no effect before the engine was ready once.
	Restart bool
	// Front puts a listener of this process before the native port, so that a wrong password or database does not end the engine.
	// Every byte of the native protocol then passes through this process once more.
	Front bool
	// Extra is more of ClickHouse's configuration, given the port of the native protocol: elements of its root, as XML, such as
	// remote_servers and macros. Nil adds nothing.
	Extra func(tcpPort string) string
	// Logger receives life-cycle lines. Nil discards them.
	Logger *slog.Logger
	// seam for tests: how long the registry may take; 0 for the usual time
	registryPatience time.Duration
}

// Engine is a ClickHouse server in a process of its own. The user "default" has no password and may do everything.
type Engine struct {
	cfg   EngineConfig
	log   *slog.Logger
	ready chan struct{}
	pid   atomic.Int64
	// written before ready is closed
	tcp, http string
	front     *front // nil without one
	// seams for tests: where the engine comes from, and how long to wait for a previous one to go
	source   func(context.Context, EngineConfig) (Source, error)
	patience time.Duration
}

// NewEngine opens nothing; see [Engine.Run].
func NewEngine(cfg EngineConfig) *Engine {
	return &Engine{
		cfg: cfg, log: logger(cfg.Logger), ready: make(chan struct{}), source: EnsureEngine, patience: lockPatience,
	}
}

// Ready is closed once the engine answers queries. It stays open when Run fails before that.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// TCPAddr is host:port of the native protocol. It is valid once Ready is closed.
func (e *Engine) TCPAddr() string {
	addr := e.whenReady(&e.tcp)
	if addr != "" && e.front != nil {
		return e.front.addr()
	}
	return addr
}

// HTTPAddr is host:port of the HTTP interface. It is valid once Ready is closed.
func (e *Engine) HTTPAddr() string { return e.whenReady(&e.http) }

// PID is the engine's process id, or 0 while there is none.
func (e *Engine) PID() int { return int(e.pid.Load()) }

func (e *Engine) whenReady(addr *string) string {
	select {
	case <-e.ready:
		return *addr
	default:
		return ""
	}
}

// Run fetches the engine if it is not cached, starts it and waits. When ctx ends the engine is shut down in order, and killed
// after 15 s; Run then returns nil. Close connections first: the engine waits up to 5 s for those that are open. Run fails when there
// is no engine to run ([ErrNoEngine]), an address is taken, another process has the data directory, the engine does not start, or
// it ends by itself and is not to be restarted. Neither the process nor its ports outlive Run. An Engine runs once: to restart, make another one on the same directory.
//
// The program's main must have called [Main].
func (e *Engine) Run(ctx context.Context) error {
	err := e.run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return nil // asked to stop before it was up
	}
	if err != nil {
		return fmt.Errorf("embedded engine: %w", err)
	}
	return nil
}

func (e *Engine) run(ctx context.Context) error {
	if !mainCalled {
		return errors.New("embedded.Main must be called first thing in main, or this program cannot become the engine")
	}
	source, err := e.source(ctx, e.cfg)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(e.cfg.DataDir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	lock, err := lockDir(ctx, dir, e.patience, e.log)
	if err != nil {
		return err
	}
	defer lock.release()
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
		e.log.Warn("engine did not start on the ports the system picked, trying others", "error", err)
	}
}

// openFront takes the native port for the front, and leaves the engine to find another one.
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

// start brings up one process and waits until it answers. After an error there is no process left.
func (e *Engine) start(ctx context.Context, source Source, dir layout, lock *dirLock) (*child, error) {
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

// claim settles the addresses, once: who restarts keeps those that the first start settled.
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

// keep attends the engine and, if it is to be restarted, those that follow it.
func (e *Engine) keep(ctx context.Context, c *child, source Source, dir layout, lock *dirLock) error {
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
		e.log.Warn("embedded engine ended by itself, starting it again; what it acknowledged is on disk", "error", err)
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

// attend waits for the end of ctx or of the process, whichever comes first.
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
			if c.crashing() { // it takes some seconds to describe its stack, and answers nobody meanwhile
				killGroup(c.cmd.Process)
				<-c.ended
				return c.failure()
			}
		}
	}
	began := time.Now()
	killed := c.stop(stopGrace)
	if killed {
		e.log.Warn("embedded engine did not stop in time and was killed", "grace", stopGrace)
	}
	e.log.Info("embedded engine stopped", "took", time.Since(began).Round(time.Millisecond))
	return nil
}
