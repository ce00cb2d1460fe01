//go:build linux || darwin

package embedded

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"sluice/internal/embedded/dirlock"
)

// WaitReleased waits for a directory in use. It neither waits for an unused directory nor creates a missing one.
func TestWaitReleased(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	require.NoError(t, WaitReleased(t.Context(), dir, testLog(t)))
	require.NoDirExists(t, dir)

	lock, err := dirlock.Take(t.Context(), dir, time.Second, testLog(t))
	require.NoError(t, err)
	said := &lines{}
	var waiting errgroup.Group
	waiting.Go(func() error { return WaitReleased(t.Context(), dir, logTo(said)) })
	eventually(t, "it waits", func() bool { return len(said.String()) > 0 })
	lock.Release()
	require.NoError(t, waiting.Wait())
	again, err := dirlock.Take(t.Context(), dir, time.Second, testLog(t))
	require.NoError(t, err, "it keeps nothing")
	again.Release()
}
