package event

import "sluice/internal/strictjson"

// Limits of what clients may send. The byte limits are the defaults of settings and count bytes after decompression.
const (
	// MaxEventBytes is the largest event, in bytes.
	MaxEventBytes = 1 << 20
	// MaxBulkBytes is the largest bulk body, in bytes.
	MaxBulkBytes = 5 << 20
	// MaxBulkEvents is the largest number of events in a bulk.
	MaxBulkEvents = 10_000
	// MaxDepth is how deep an event's arrays and objects may nest; the event itself is the first level.
	MaxDepth = strictjson.MaxDepth
)

// Limits of what is kept of an accepted event outside its payload.
const (
	// MaxMessageBytes is how much of the message its column keeps, in bytes of UTF-8.
	MaxMessageBytes = 64 << 10
	// MaxTags is how many tags their column keeps, counted from the first.
	MaxTags = 256
	// MaxFrames is how many frames of a stack trace are read, counted from the first. It bounds what an event of a
	// million bytes of "{}," can make of memory; real traces are far shorter.
	MaxFrames = 1024
	// MaxFingerprintParts is how many parts of a given fingerprint are read, for the same reason.
	MaxFingerprintParts = 1024
)

// Names of the limits, as Error.Limit gives them to the client.
const (
	LimitEventBytes = "max_event_bytes"
	LimitBulkEvents = "max_bulk_events"
)

// keptCapacity is the longest slice, in items, that is kept from one use to the next.
const keptCapacity = 4096

// emptied gives a slice back for the next use, or nothing if one unusual input made it too large to keep.
func emptied[T any](s []T) []T {
	if cap(s) > keptCapacity {
		return nil
	}
	return s[:0]
}
