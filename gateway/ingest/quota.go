package ingest

import (
	"strconv"
	"time"
)

// limit charges the valid events to the project's rate limit. Events over the limit get a problem and are not kept.
func (s *Submission) limit() {
	switch {
	case s.Atomic:
		s.limitWhole()
	case s.protocol.ResendsWhole:
		s.limitTogether()
	default:
		s.limitPart()
	}
}

// limitPart charges the valid events that fit into the limit, in order, and refuses the others. A request costs at
// least one event.
func (s *Submission) limitPart() {
	got := min(len(s.valid), s.charge(max(1, len(s.valid))))
	if got < len(s.valid) {
		limited := s.rateLimited(len(s.valid) - got)
		for _, i := range s.valid[got:] {
			s.items[i].Problem = limited
		}
	}
	s.valid = s.valid[:got]
}

// limitWhole charges all events of an atomic submission, or refuses all of them.
func (s *Submission) limitWhole() {
	if s.whole = s.chargeWhole(); s.whole != nil {
		s.rejectValid(s.whole)
	}
}

// limitTogether charges all valid events, or refuses all of them: see Protocol.ResendsWhole. A request costs at least
// one event.
func (s *Submission) limitTogether() {
	limit := s.project.Limit
	if len(s.valid) == 0 || s.protocol.ReportsPart && limit != nil && len(s.valid) > limit.Limit().Events {
		s.limitPart()
		return
	}
	if p := s.chargeAll("The request has more events than"); p != nil {
		s.rejectValid(p)
	}
}

// rejectValid gives a problem to all events that had none.
func (s *Submission) rejectValid(p *Problem) {
	for _, i := range s.valid {
		s.items[i].Problem = p
	}
	s.valid = s.valid[:0]
}

func (s *Submission) chargeWhole() *Problem {
	for i := range s.items {
		if s.items[i].Problem != nil {
			return Refuse(KindInvalidEvent, "The bulk is atomic and at least one of its events is invalid.")
		}
	}
	return s.chargeAll("The atomic bulk has more events than")
}

// chargeAll charges all valid events, or none and says why. tooMany begins the sentence about more events than the
// whole limit.
func (s *Submission) chargeAll(tooMany string) *Problem {
	limit := s.project.Limit
	if limit == nil {
		return nil
	}
	if most := limit.Limit().Events; len(s.valid) > most {
		return tooLarge(tooMany, LimitRate, int64(most), "events")
	}
	if !limit.TakeAll(len(s.valid), s.in.now()) {
		return s.rateLimited(len(s.valid))
	}
	return nil
}

// charge takes up to n events from the project's limit and returns how many it got.
func (s *Submission) charge(n int) int {
	if s.project.Limit == nil {
		return n
	}
	return s.project.Limit.Take(n, s.in.now())
}

// refund returns n events to the project's limit.
func (s *Submission) refund(n int) {
	if s.project.Limit != nil && n > 0 {
		s.project.Limit.Refund(n)
	}
}

// rateLimited refuses that many events.
func (s *Submission) rateLimited(events int) *Problem {
	p := Refuse(KindRateLimited, "The project's rate limit is reached.")
	now := s.in.now()
	p.RetryAfter = s.project.Limit.RetryAfter(events, now)
	p.PassesAfter = s.project.Limit.PassesAfter(events, now)
	return p
}

// LimitWait returns after how many seconds an event would pass the rate limit. It is 0 while one would pass now.
func (s *Submission) LimitWait() int {
	limit, now := s.project.Limit, s.in.now()
	if limit == nil || limit.Quota(now).Remaining > 0 {
		return 0
	}
	return limit.PassesAfter(1, now)
}

// The names of the fields as fasthttp writes them.
var headerPolicy, headerRateLimit = []byte("Ratelimit-Policy"), []byte("Ratelimit")

// RateLimitFields tells the client what is left of the limit, on every 202 and 429 of a project with a limit. k is 0
// for a 202. The fields are those of the IETF draft "RateLimit header fields for HTTP".
func (s *Submission) RateLimitFields(k Kind) {
	limit := s.project.Limit
	if limit == nil || k != 0 && k != KindRateLimited {
		return
	}
	q := limit.Quota(s.in.now())
	window := int((limit.Limit().Window + time.Second - 1) / time.Second)
	reset := int((q.Reset + time.Second - 1) / time.Second)
	h := &s.Ctx.Response.Header
	var text [64]byte
	b := append(text[:0], `"events";q=`...)
	b = strconv.AppendInt(b, int64(limit.Limit().Events), 10)
	b = append(b, ";w="...)
	b = strconv.AppendInt(b, int64(window), 10)
	h.SetCanonical(headerPolicy, b)
	b = append(text[:0], `"events";r=`...)
	b = strconv.AppendInt(b, int64(q.Remaining), 10)
	b = append(b, ";t="...)
	b = strconv.AppendInt(b, int64(reset), 10)
	h.SetCanonical(headerRateLimit, b)
}
