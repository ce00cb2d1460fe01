package ingest

import (
	"time"

	"sluice/gateway/outcomes"
	"sluice/internal/outcome"
)

// Every event of a submission ends in one outcome that somebody counts, see package outcome. Kept events are counted
// by the rows that they become. The gateway counts the others: refused events, and events that a client reports as
// dropped. A request that is refused before its events are known counts as one event.

// refusals are the refused events of a submission, by kind.
type refusals [len(answers)]int

// total returns how many events were refused.
func (r *refusals) total() (n int) {
	for _, of := range r {
		n += of
	}
	return n
}

// countRefusals hands the submission's refusals to the counter.
func (s *Submission) countRefusals() {
	for k, n := range s.refused {
		if n > 0 {
			s.in.outcomes.Add(refusalKey(s.projectID(), s.protocol.Format, Kind(k)), n)
		}
	}
}

// measure counts the submission if it was valid. The time to read the body is the client's and does not count.
func (s *Submission) measure() {
	var took time.Duration
	if !s.read.IsZero() {
		took = time.Since(s.read)
	}
	switch {
	case s.refused[KindUnavailable]+s.refused[KindInternal] > 0:
		s.in.metrics.failed.Observe(took.Seconds())
	case s.accepted > 0:
		s.in.metrics.kept.Observe(took.Seconds())
	}
}

// Panicked counts a request whose handler panicked as failed.
func (in *Ingester) Panicked() { in.metrics.failed.Observe(0) }

// refusalKey returns what a refusal counts as.
func refusalKey(project, format string, k Kind) outcomes.Key {
	key := outcomes.Key{
		Project: project, Protocol: outcome.ProtocolOf(format), Outcome: outcome.Rejected, Reason: k.Code(),
	}
	if k == KindRateLimited {
		key.Outcome, key.Reason = outcome.RateLimited, LimitRate
		if project == "" {
			key.Reason = LimitFailedKeys
		}
	}
	return key
}

// projectID returns the project's id, or "" if the request has no valid key.
func (s *Submission) projectID() string {
	if s.project == nil {
		return ""
	}
	return s.project.id
}

// NoteDiscarded counts events that the client has dropped by itself, as a report of the client says: n of a category,
// for a reason. Words that are not known count as "other", so that clients cannot make up new ones. Numbers below 1
// count as nothing. It counts whatever is answered, because clients do not send a report again.
func (s *Submission) NoteDiscarded(category, reason string, n int) {
	if n < 1 {
		return
	}
	n = min(n, maxDiscarded)
	reason, category = known(discardReasons, reason), known(discardCategories, category)
	s.in.metrics.discarded.WithLabelValues(s.protocol.Name, category, reason).Add(float64(n))
	s.in.outcomes.Add(outcomes.Key{
		Project: s.projectID(), Protocol: outcome.ProtocolOf(s.protocol.Format), Outcome: outcome.ClientDropped,
		Reason: reason, Category: category,
	}, n)
}

// maxDiscarded is the most that one line of a report counts.
const maxDiscarded = 1_000_000_000

// known returns the word of a closed list that a client's word is, or other.
func known(words map[string]string, word string) string {
	if w, ok := words[word]; ok {
		return w
	}
	return other
}

// discardReasons are the reasons for which Sentry's clients drop what they do not send.
// https://develop.sentry.dev/sdk/telemetry/client-reports/
var discardReasons = closed(
	"queue_overflow", "cache_overflow", "buffer_overflow", "ratelimit_backoff", "network_error", "sample_rate",
	"before_send", "event_processor", "ignored", "send_error", "internal_sdk_error", "insufficient_data",
	"backpressure", "invalid", "no_parent_span", "too_large", "missing_replay", "duplicate",
)

// discardCategories are the categories of what Sentry's clients send, and the older name of a category.
// https://develop.sentry.dev/sdk/telemetry/client-reports/
var discardCategories = func() map[string]string {
	words := closed(
		"error", "default", "security", "transaction", "span", "session", "attachment", "monitor", "profile",
		"profile_chunk", "profile_chunk_ui", "replay", "feedback", "log_item", "log_byte", "trace_metric",
		"trace_metric_byte", "metric_bucket", "statsd", "internal",
	)
	words["check_in"] = "monitor"
	return words
}()

func closed(words ...string) map[string]string {
	all := make(map[string]string, len(words))
	for _, w := range words {
		all[w] = w
	}
	return all
}
