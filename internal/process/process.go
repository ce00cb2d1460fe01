// Package process is what Sluice's programs have in common as processes: log, signals, exit code, admin port, build version.
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

	"sluice/internal/settings"
)

// Config are the settings of every long-running program.
type Config struct {
	AdminAddr    string        `name:"admin-addr" default:"${admin_addr}" help:"Address of the admin port: /livez, /readyz, /metrics, /debug/pprof. Never make it public."`
	DrainDelay   time.Duration `name:"drain-delay" default:"${drain_delay}" help:"On SIGTERM: how long to go on serving while health checks already fail, so that load balancers look away first. The consumer serves nobody and does not wait."`
	DrainTimeout time.Duration `name:"drain-timeout" default:"25s" help:"On SIGTERM: how long work in flight may take to finish after the delay."`
	Log
}

// Log says what is logged and how.
type Log struct {
	Level  string `name:"log-level" default:"info" enum:"debug,info,warn,error" help:"Least severe level that is logged: debug, info, warn or error."`
	Format string `name:"log-format" default:"text" enum:"text,json" help:"How a line is written: text or json."`
}

// Check reports every fault of the settings.
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

// Logger writes to w, and waits for w.
func (l Log) Logger(w io.Writer) *slog.Logger { return slog.New(l.handler(w)) }

func (l Log) handler(w io.Writer) slog.Handler {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // the settings allow known words only
	opts := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.NewJSONHandler(w, opts)
	}
	return slog.NewTextHandler(w, opts)
}

// Main runs a program and exits: 0 after success or help, 1 with one sentence on standard error otherwise. The first SIGTERM,
// SIGINT or SIGHUP ends run's context, which begins the drain. A second SIGTERM or SIGINT exits at once with 2. A second SIGHUP
// does not, because systemd and shells send it along with the first signal. Under nohup SIGHUP stays ignored.
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
	go func() { // lives as long as the process
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
	default:
		say(fmt.Sprintf("%s: error: %v", name, err))
		return 1
	}
}

// say writes a line to standard error. It gives up after logFlush, because a pipe that nobody reads must not keep the process.
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

// ErrReported makes the program exit with 1 without another line: what went wrong is already on the screen.
var ErrReported = errors.New("reported")

// Registry is a metrics registry with the process's own figures and sluice_build_info.
func Registry(program string) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), BuildInfo(program))
	return reg
}

// BuildInfo is the metric that tells versions apart.
func BuildInfo(program string) prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "sluice_build_info", Help: "Always 1; the labels say what runs.",
	}, []string{"program", "version", "go"})
	version, goVersion := Version()
	info.WithLabelValues(program, version, goVersion).Set(1)
	return info
}

// VersionText is what --version prints behind the program's name: "v1.4.0 go1.26.3".
func VersionText() string {
	program, goVersion := Version()
	return program + " " + goVersion
}

// version is set by the linker in released builds.
var version string

// Version is the program's version and the Go it was built with.
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
