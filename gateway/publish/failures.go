package publish

import (
	"sync"
	"time"

	"sluice/internal/causes"
)

// failuresQuiet is how long no batch may fail before the same cause is logged again.
const failuresQuiet = time.Minute

// failures knows why batches have failed lately, so that each cause is logged once, however many batches it hits. A
// single partition may fail for long while others take batches, so a success ends nothing. The zero value is ready. It is
// safe for concurrent use.
type failures struct {
	mu     sync.Mutex
	causes causes.Log
	last   time.Time
}

// isNew counts a failure and reports whether its cause is new.
func (f *failures) isNew(cause string, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.last) > failuresQuiet {
		f.causes = causes.Log{}
	}
	f.last = now
	return f.causes.Note(cause)
}

// forget is called at the end of an outage of all of Kafka.
func (f *failures) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.causes = causes.Log{}
}
