package admin

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealthy(t *testing.T) {
	s := server()
	web := httptest.NewServer(s.routes())
	addr := strings.TrimPrefix(web.URL, "http://")
	require.NoError(t, Healthy(t.Context(), addr))
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	for _, everywhere := range []string{":", "0.0.0.0:", "[::]:"} {
		require.NoError(t, Healthy(t.Context(), everywhere+port), "an address to listen on is not one to ask")
	}
	web.Close()
	require.Error(t, Healthy(t.Context(), addr), "nobody answers")
}

func TestHealthySaysWhyNot(t *testing.T) {
	s := server()
	s.Ready = func() error { return errors.New("draining") }
	web := httptest.NewServer(s.routes())
	defer web.Close()
	require.EqualError(t, Healthy(t.Context(), strings.TrimPrefix(web.URL, "http://")), "not ready: draining")
}

func TestHealthyFaults(t *testing.T) {
	require.ErrorContains(t, Healthy(t.Context(), "8081"), "--admin-addr")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, Healthy(ctx, "127.0.0.1:1"), context.Canceled)
}
