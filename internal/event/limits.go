package event

import "sluice/internal/strictjson"

// Limits of what clients may send. Bytes are counted after decompression. The byte limits are defaults of settings.
const (
	// MaxEventBytes is the largest event, in bytes.
	MaxEventBytes = 1 << 20
	// MaxBulkBytes is the largest bulk body, in bytes.
	MaxBulkBytes = 5 << 20
	// MaxBulkEvents is the largest number of events in a bulk.
	MaxBulkEvents = 10_000
	// MaxDepth is the number of levels that arrays and objects of an event may nest. The event is the first level.
	MaxDepth = strictjson.MaxDepth
)

// Limits of what the columns keep of an accepted event. The payload column keeps everything.
const (
	// MaxMessageBytes is the most that the message column keeps, in bytes of UTF-8.
	MaxMessageBytes = 64 << 10
	// MaxTags is the number of tags that the tags column keeps, counted from the first.
	MaxTags = 256
	// MaxFrames is the number of stack frames that are read, counted from the first. It bounds the memory that an
	// event of a million bytes of "{}," takes. Real traces are far shorter.
	MaxFrames = 1024
	// MaxFingerprintParts is the number of parts of the client's fingerprint that are read, for the same reason.
	MaxFingerprintParts = 1024
)

// Names of the limits, in Error.Limit and in answers to clients.
const (
	LimitEventBytes = "max_event_bytes"
	LimitBulkEvents = "max_bulk_events"
)

// keptCapacity is the longest slice, in items, whose memory is kept from one use to the next.
const keptCapacity = 4096

// emptied returns a slice for the next use, or nil if one unusual input made the slice too large to keep.
func emptied[T any](s []T) []T {
	if cap(s) > keptCapacity {
		return nil
	}
	return s[:0]
}
