package canary

import (
	"log/slog"
	"sync"
)

// verdict is whether one half of the way works: the gateway, or all behind it. It logs a line when that changes. It is
// safe for concurrent use.
type verdict struct {
	log       *slog.Logger
	good, bad string // messages

	mu    sync.Mutex
	known bool
	fine  bool
}

func (v *verdict) is(fine bool, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known && v.fine == fine {
		return
	}
	v.known, v.fine = true, fine
	if fine {
		v.log.Info(v.good, args...) //nolint:sloglint // both messages are constants of the caller
	} else {
		v.log.Error(v.bad, args...) //nolint:sloglint // both messages are constants of the caller
	}
}
