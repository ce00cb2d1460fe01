package observed

import (
	"log/slog"
	"sync"

	"sluice/consumer/kafka"
	"sluice/internal/causes"
)

// Log logs the outages of Kafka for all partitions of a process together: each cause once, and the end once. It is safe
// for concurrent use.
type Log struct {
	log *slog.Logger

	mu      sync.Mutex
	causes  causes.Log // since the last end
	failing int        // kinds of requests, of all partitions, whose last one failed
}

// NewLog makes a Log.
func NewLog(log *slog.Logger) *Log { return &Log{log: log} }

// failed takes a request that failed. begins says that it is the first one of its Outage.
func (l *Log) failed(err error, begins bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if begins {
		l.failing++
	}
	if !l.causes.Note(causes.Of(0, err)) {
		return
	}
	attrs := []any{"err", err}
	if advice := l.causes.Advice(kafka.Hint(err)); advice != "" {
		attrs = append(attrs, "hint", advice)
	}
	l.log.Warn("kafka does not answer as it should, retrying", attrs...)
}

// ended takes that an Outage is over, or that nobody waits for its end any more.
func (l *Log) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing--
}

// answered takes a request that Kafka answered.
func (l *Log) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failing > 0 || l.causes.Tries() == 0 {
		return
	}
	l.log.Info("kafka answers again", "tries", l.causes.Tries(), "causes", l.causes.Summary())
	l.causes = causes.Log{}
}
