package format

import "sluice/internal/event"

// All returns every format that this version knows.
func All() event.Formats {
	return event.Formats{
		Sentry:  newSentry,
		Segment: newSegment,
		PostHog: newPostHog,
		OTLP:    newOTLP,
	}
}
