//go:build !linux && !darwin

package embedded

import "os"

// tryLock does nothing where the engine does not run: only the broker is left, and its port keeps a second one out.
func tryLock(*os.File) error { return nil }
