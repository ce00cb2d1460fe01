package embedded

import (
	"context"
	"log/slog"
	"time"

	"sluice/internal/embedded/dirlock"
)

// lockPatience is how long a start waits for the previous owner of a data directory, which may still be shutting down.
const lockPatience = stopGrace + 5*time.Second

// WaitReleased waits until no broker and no engine uses dir; a previous one may still be shutting down. It does not
// create a missing directory, and returns nil at once. Its error names the process that uses dir.
func WaitReleased(ctx context.Context, dir string, log *slog.Logger) error {
	return dirlock.WaitReleased(ctx, dir, lockPatience, log)
}

// CheckOwn returns an error if dir has content that is not from a broker or an engine of this package, for instance a
// server's data. It creates nothing.
func CheckOwn(dir string) error { return dirlock.CheckOwn(dir) }
