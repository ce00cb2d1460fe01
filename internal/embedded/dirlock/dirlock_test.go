//go:build linux || darwin

package dirlock

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"sluice/internal/testlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is longer than any wait of these tests.
const patience = time.Minute

// WaitReleased waits for a directory in use. It neither waits for an unused directory nor creates a missing one.
func TestWaitReleased(t *testing.T) {
	var logged testlog.Counter
	log := slog.New(&logged)
	dir := filepath.Join(t.TempDir(), "none")
	require.NoError(t, WaitReleased(t.Context(), dir, patience, log))
	require.NoDirExists(t, dir)

	lock, err := Take(t.Context(), dir, patience, log)
	require.NoError(t, err)
	var waiting errgroup.Group
	waiting.Go(func() error { return WaitReleased(t.Context(), dir, patience, log) })
	waits := func() bool { return logged.Of("waiting for the previous process to leave the data directory") == 1 }
	require.Eventually(t, waits, time.Minute, 10*time.Millisecond)
	lock.Release()
	require.NoError(t, waiting.Wait())
	again, err := Take(t.Context(), dir, patience, log)
	require.NoError(t, err, "WaitReleased keeps no lock")
	again.Release()
}
