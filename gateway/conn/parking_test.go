package conn

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestParking: an idle connection leaves the server, still counts, and is served again. When the listener closes, it
// closes at once.
func TestParking(t *testing.T) {
	t.Parallel()
	s := newServer(t, Config{Max: 2, ParkAfter: time.Millisecond}, time.Minute)
	first, second := s.connect(), s.connect()
	for range 5 {
		require.Equal(t, 202, status(first))
		require.Equal(t, 202, status(second))
		await(t, func() bool { return s.Parked() == 2 && s.server.GetOpenConnectionsCount() == 0 })
		assert.Equal(t, 2, s.Open())
	}
	assert.Equal(t, 503, status(s.connect()), "parked connections count")
	require.NoError(t, first.Close())
	await(t, func() bool { return s.Parked() == 1 })
	s.stop()
	assert.Zero(t, s.Parked())
	_, err := second.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 2*time.Millisecond)
}
