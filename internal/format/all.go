package format

import "sluice/internal/event"

// All returns every format that this version knows.
func All() event.Formats {
	return event.Formats{
		Sentry:  newSentry,
		Segment: newSegment,
		PostHog: newPostHog,
		OTLP:    newOTLP,
		Elastic: func() event.Reader { return &elastic{} },
		Loki:    func() event.Reader { return &loki{} },
		Splunk:  func() event.Reader { return &splunk{} },
	}
}
