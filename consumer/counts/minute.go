package counts

import (
	"time"

	"sluice/internal/outcome"
)

const (
	// clockSlack is how far the clocks of gateway and broker may differ.
	clockSlack = time.Minute
	// longestSpooled is how long after its receipt a record may reach Kafka.
	longestSpooled = 24 * time.Hour
	// latest is the last minute that a DateTime of ClickHouse holds.
	latest = (1<<32 - 60) / 60 * 60
)

// minute returns the minute in which an event was received. That is the gateway's, unless the record's own time, in
// Unix milliseconds, says that it cannot be. Without either it is the first one of 1970. Zero times are unknown.
func minute(received time.Time, stamped int64) int64 {
	at := time.UnixMilli(max(0, stamped))
	if !received.IsZero() {
		if late := at.Sub(received); stamped == 0 || late >= -clockSlack && late <= longestSpooled {
			at = received
		}
	}
	return min(max(0, outcome.MinuteOf(at)), latest)
}
