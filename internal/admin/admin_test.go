package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func fine() error { return nil }

// server is an admin port on any free port, with one metric.
func server() *Server {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sluice_test", Help: "A test."}, func() float64 { return 7 }))
	return &Server{Addr: "127.0.0.1:0", Metrics: registry, Live: fine, Ready: fine}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

func TestRoutes(t *testing.T) {
	var live, ready atomic.Pointer[error]
	is := func(e *atomic.Pointer[error]) func() error {
		return func() error {
			if p := e.Load(); p != nil {
				return *p
			}
			return nil
		}
	}
	s := server()
	s.Live, s.Ready = is(&live), is(&ready)
	web := httptest.NewServer(s.routes())
	defer web.Close()

	for path, want := range map[string]string{
		"/livez": "ok\n", "/readyz": "ok\n", "/metrics": "sluice_test 7", "/debug/pprof/": "goroutine",
		"/debug/pprof/cmdline": "test", "/debug/pprof/goroutine?debug=1": "goroutine profile", "/debug/pprof/symbol": "num_symbols",
	} {
		status, body := get(t, web.URL+path)
		require.Equal(t, http.StatusOK, status, path)
		require.Contains(t, body, want, path)
	}

	draining := errors.New("draining")
	ready.Store(&draining)
	status, body := get(t, web.URL+"/readyz")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "draining\n", body)
	status, _ = get(t, web.URL+"/livez")
	require.Equal(t, http.StatusOK, status, "not ready is not dead")

	stuck := errors.New("partition 3 has stood still for 5m0s")
	live.Store(&stuck)
	status, body = get(t, web.URL+"/livez")
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "partition 3 has stood still for 5m0s\n", body)
}

func TestOtherPathsAndMethods(t *testing.T) {
	web := httptest.NewServer(server().routes())
	defer web.Close()
	status, _ := get(t, web.URL+"/")
	require.Equal(t, http.StatusNotFound, status)
	resp, err := http.Post(web.URL+"/readyz", "", nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
}

// A console answers at / and below /console/, and nowhere else.
func TestConsole(t *testing.T) {
	s := server()
	s.Console = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "console "+r.URL.Path) })
	web := httptest.NewServer(s.routes())
	defer web.Close()
	for path, want := range map[string]string{"/": "console /", "/console/data": "console /console/data", "/livez": "ok\n"} {
		status, body := get(t, web.URL+path)
		require.Equal(t, http.StatusOK, status, path)
		require.Equal(t, want, body)
	}
	status, _ := get(t, web.URL+"/other")
	require.Equal(t, http.StatusNotFound, status)
}

func TestOccupiedPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for flag, want := range map[string]string{"": "--admin-addr", "--consumer-admin-addr": "--consumer-admin-addr"} {
		s := server()
		s.Addr, s.Flag = taken.Addr().String(), flag
		err := s.Around(t.Context(), func(context.Context) error {
			t.Error("must not run without its admin port")
			return nil
		})
		require.ErrorContains(t, err, want+" "+s.Addr)
		require.ErrorContains(t, err, "address already in use")
	}
}

// The metrics say what the checks answer.
func TestHealthMetrics(t *testing.T) {
	s := server()
	s.Ready = func() error { return errors.New("draining") }
	web := httptest.NewServer(s.routes())
	defer web.Close()
	_, body := get(t, web.URL+"/metrics")
	require.Contains(t, body, "\nsluice_live 1\n")
	require.Contains(t, body, "\nsluice_ready 0\n")
}
