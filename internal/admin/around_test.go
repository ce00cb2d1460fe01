package admin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// free returns a port that was free a moment ago. Around opens the port itself, so the test must choose one.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func TestAroundAnswersFromStartToTheEndOfTheDrain(t *testing.T) {
	s := server()
	s.Addr = free(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Around(ctx, func(ctx context.Context) error {
		status, _ := get(t, "http://"+s.Addr+"/livez")
		require.Equal(t, http.StatusOK, status, "before the service is up")
		cancel()
		<-ctx.Done()
		status, _ = get(t, "http://"+s.Addr+"/metrics")
		require.Equal(t, http.StatusOK, status, "while it drains")
		return nil
	})
	require.NoError(t, err)
	_, err = net.Dial("tcp", s.Addr)
	require.Error(t, err, "the port is closed after the service has gone")
}

func TestAroundReturnsWhatRunReturns(t *testing.T) {
	s := server()
	broken := errors.New("broken")
	require.ErrorIs(t, s.Around(t.Context(), func(context.Context) error { return broken }), broken)
	require.NoError(t, s.Around(t.Context(), func(context.Context) error { return nil }))
}

func TestServeEndsWithItsContextOrItsPort(t *testing.T) {
	s := server()
	l, err := s.Listen()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.Serve(ctx, l))

	l, err = s.Listen()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.ErrorContains(t, s.Serve(t.Context(), l), "admin port")
}
