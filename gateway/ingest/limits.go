package ingest

import (
	"time"

	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

// Limits are the limits that apply to the holder of a key.
type Limits struct {
	Project string `json:"project"`
	// RateLimit is nil if the project has no rate limit.
	RateLimit *RateLimit `json:"rate_limit,omitempty"`
	// MaxEventBytes and MaxBulkBytes bound bodies, before and after decompression.
	MaxEventBytes int `json:"max_event_bytes"`
	MaxBulkBytes  int `json:"max_bulk_bytes"`
	// MaxBulkEvents is how many events a bulk may have.
	MaxBulkEvents int `json:"max_bulk_events"`
}

// RateLimit is a project's rate limit and what is left of it.
type RateLimit struct {
	// Events may be sent in WindowSeconds, all at once or spread.
	Events        int     `json:"events"`
	WindowSeconds float64 `json:"window_seconds"`
	// Remaining events may be sent now.
	Remaining int `json:"remaining"`
	// ResetSeconds is how long it takes until Remaining is Events again if nobody sends, rounded up.
	ResetSeconds int `json:"reset_seconds"`
	// RetryAfter says what a 429 asks for: window, or exact.
	RetryAfter string `json:"retry_after"`
}

// asksForLimits is the protocol of a question for limits. It takes no events.
var asksForLimits = &Protocol{Name: "limits", Key: FindKey}

// Limits returns the limits of the request's key, and sets the RateLimit fields of the answer. The question costs no
// event, and nothing is counted. It is answered while nothing is left of the limit.
func (in *Ingester) Limits(ctx *fasthttp.RequestCtx) (Limits, *Problem) {
	s := in.begin(ctx, asksForLimits)
	defer s.end()
	if p := s.authorize(); p != nil {
		return Limits{}, p
	}
	s.RateLimitFields(0)
	out := Limits{
		Project: s.project.id, MaxEventBytes: in.maxEventBytes, MaxBulkBytes: in.bulkLimit.bytes,
		MaxBulkEvents: event.MaxBulkEvents,
	}
	if limiter := s.project.Limit; limiter != nil {
		limit, left := limiter.Limit(), limiter.Quota(in.now())
		out.RateLimit = &RateLimit{
			Events: limit.Events, WindowSeconds: limit.Window.Seconds(), Remaining: left.Remaining,
			ResetSeconds: int((left.Reset + time.Second - 1) / time.Second), RetryAfter: "window",
		}
		if limit.ExactRetryAfter {
			out.RateLimit.RetryAfter = "exact"
		}
	}
	return out, nil
}
