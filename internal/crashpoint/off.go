//go:build !crashpoints

package crashpoint

import "time"

// Reach does nothing in this build.
func Reach(string) {}

// Duration returns d in this build.
func Duration(_ string, d time.Duration) time.Duration { return d }
