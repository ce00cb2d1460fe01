//go:build (!linux && !darwin) || noengine

package embedded

import "errors"

// canLoad: this program cannot load the engine's library.
const canLoad = false

func runLibrary(string, string, <-chan struct{}) error {
	return errors.New("this program was built without the engine")
}
