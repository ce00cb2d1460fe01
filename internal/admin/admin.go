package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Server is the admin port of one process.
type Server struct {
	// Addr is the address to listen on, as host:port.
	Addr string
	// Flag is the setting that Addr comes from, for error texts. Default: --admin-addr.
	Flag string
	// Metrics are served at /metrics.
	Metrics prometheus.Gatherer
	// Live answers /livez. It returns an error if a loop of this process is stuck and a restart would help. An outage
	// of Kafka or ClickHouse is no such error.
	Live func() error
	// Console answers / and what is below /console/. Without it these paths are not found.
	Console http.Handler
	// Ready answers /readyz. It returns an error while the process starts or drains.
	Ready func() error
}

// Listen opens the port. A caller listens first, so that a port in use stops the program before anything else starts.
func (s *Server) Listen() (net.Listener, error) {
	l, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", cmp.Or(s.Flag, "--admin-addr"), s.Addr, err)
	}
	return l, nil
}

// Serve answers requests on l until ctx ends, and then closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return fmt.Errorf("admin port: %w", err)
	case <-ctx.Done():
	}
	err := server.Close()
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", answer(s.Live))
	mux.HandleFunc("GET /readyz", answer(s.Ready))
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.gatherer(), promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	if s.Console != nil {
		mux.Handle("/{$}", s.Console)
		mux.Handle("/console/", s.Console)
	}
	return mux
}

func answer(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprintln(w, err)
			return
		}
		_, _ = fmt.Fprintln(w, "ok")
	}
}
