package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/term"

	"sluice/internal/settings"
)

// Config holds the settings of every long-running program.
type Config struct {
	AdminAddr    string        `name:"admin-addr" default:"${admin_addr}" help:"Address of the admin port: /livez, /readyz, /metrics, /debug/pprof. Never make it public."`
	DrainDelay   time.Duration `name:"drain-delay" default:"${drain_delay}" help:"On SIGTERM: how long to serve requests while health checks already fail, so that load balancers stop sending. The consumer serves no requests and does not wait."`
	DrainTimeout time.Duration `name:"drain-timeout" default:"25s" help:"On SIGTERM: how long work in flight may take to finish, after the delay."`
	Log
}

// Log holds the settings of the log.
type Log struct {
	Level  string `name:"log-level" default:"info" enum:"debug,info,warn,error" help:"Least severe level to log: debug, info, warn or error."`
	Format string `name:"log-format" default:"auto" enum:"auto,json,text" help:"Format of a line: json, text, or auto: text on a terminal and json elsewhere."`
}

// Check reports every fault of the settings, joined into one error.
func (c Config) Check() error {
	var faults []error
	if err := settings.CheckListen(c.AdminAddr); err != nil {
		faults = append(faults, fmt.Errorf("--admin-addr: %w", err))
	}
	if c.DrainDelay < 0 {
		faults = append(faults, errors.New("--drain-delay: must not be negative"))
	}
	if c.DrainTimeout <= 0 {
		faults = append(faults, errors.New("--drain-timeout: must be positive"))
	}
	return errors.Join(faults...)
}

// Logger returns a logger that writes to w. A slow w blocks the caller.
func (l Log) Logger(w io.Writer) *slog.Logger { return slog.New(l.resolve(w).handler(w)) }

// resolve replaces the format auto: text if w is a terminal, where a person reads, and otherwise JSON.
func (l Log) resolve(w io.Writer) Log {
	if l.Format != "auto" {
		return l
	}
	l.Format = "json"
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		l.Format = "text"
	}
	return l
}

func (l Log) handler(w io.Writer) slog.Handler {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // kong accepts known levels only
	opts := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.NewJSONHandler(w, opts)
	}
	return slog.NewTextHandler(w, opts)
}

// Main runs a program and exits: with 0 after success or help, otherwise with 1, or the code of ExitWith, and one sentence on standard error. The
// first SIGTERM, SIGINT or SIGHUP ends the context of run, which starts the drain. A second SIGTERM or SIGINT exits at
// once with 2. A second SIGHUP does not, because systemd and shells send it together with the first signal. Under nohup
// the program ignores SIGHUP.
func Main(name string, run func(ctx context.Context) error) {
	os.Exit(exitCode(name, run))
}

func exitCode(name string, run func(ctx context.Context) error) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	defer signal.Stop(signals)
	go func() { // runs as long as the process
		<-signals
		cancel()
		for s := range signals {
			if s != syscall.SIGHUP {
				say(name + ": second signal, exiting without a drain")
				os.Exit(2)
			}
		}
	}()
	err := run(ctx)
	switch {
	case err == nil, errors.Is(err, settings.ErrHelp):
		return 0
	case errors.Is(err, ErrReported):
		return 1
	}
	say(fmt.Sprintf("%s: error: %v", name, err))
	if coded, ok := errors.AsType[*exitError](err); ok {
		return coded.code
	}
	return 1
}

// say writes a line to standard error. It gives up after logFlush, so that an unread pipe cannot keep the process
// alive.
func say(line string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = fmt.Fprintln(os.Stderr, line)
	}()
	select {
	case <-done:
	case <-time.After(logFlush):
	}
}

// ErrReported makes the program exit with 1 and print nothing more: the caller has printed the error.
var ErrReported = errors.New("reported")

// exitError makes the program exit with a code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// ExitWith returns an error that makes the program print err and exit with a code other than 1.
func ExitWith(code int, err error) error { return &exitError{code, err} }

// Registry returns a registry with metrics of the Go runtime and the process, and sluice_build_info.
func Registry(program string) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		BuildInfo(program))
	return reg
}

// BuildInfo returns the metric sluice_build_info, which tells versions apart.
func BuildInfo(program string) prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_build_info", Help: "Always 1; the labels name the program and its version.",
	}, []string{"program", "version", "go"})
	version, goVersion := Version()
	info.WithLabelValues(program, version, goVersion).Set(1)
	return info
}

// VersionText is the output of --version after the program's name, for instance "v1.4.0 go1.26.3".
func VersionText() string {
	program, goVersion := Version()
	return program + " " + goVersion
}

// version is set by the linker in released builds.
var version string

// Version returns the program's version and the Go version that built it.
func Version() (program, goVersion string) {
	goVersion = "unknown"
	info, ok := debug.ReadBuildInfo()
	if ok {
		goVersion = info.GoVersion
	}
	switch {
	case version != "":
		return version, goVersion
	case ok && info.Main.Version != "":
		return info.Main.Version, goVersion
	default:
		return "devel", goVersion
	}
}
