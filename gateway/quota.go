package gateway

import (
	"strconv"
	"time"
)

// limit charges the valid events to the project's rate limit. What exceeds it gets a problem and is not kept.
func (s *submission) limit() {
	if s.atomic {
		s.limitWhole()
	} else {
		s.limitPart()
	}
}

// limitPart charges the valid events that fit into the limit, in order; the others are to be sent again. A request costs at
// least one event.
func (s *submission) limitPart() {
	got := min(len(s.valid), s.charge(max(1, len(s.valid))))
	if got < len(s.valid) {
		limited := s.rateLimited(len(s.valid) - got)
		for _, i := range s.valid[got:] {
			s.items[i].problem = limited
		}
	}
	s.valid = s.valid[:got]
}

// limitWhole charges all events of an atomic submission, or refuses every event that has no problem of its own.
func (s *submission) limitWhole() {
	if s.whole = s.chargeWhole(); s.whole == nil {
		return
	}
	for _, i := range s.valid {
		s.items[i].problem = s.whole
	}
	s.valid = s.valid[:0]
}

func (s *submission) chargeWhole() *problem {
	for i := range s.items {
		if s.items[i].problem != nil {
			return refuse(kindInvalidEvent, "The bulk is atomic and at least one of its events is invalid.")
		}
	}
	limit := s.project.limit
	if limit == nil {
		return nil
	}
	if int64(len(s.valid)) > limit.Events {
		return tooLarge("The atomic bulk has more events than", limitRate, limit.Events, "events")
	}
	if !limit.TakeAll(len(s.valid), s.now()) {
		return s.rateLimited(len(s.valid))
	}
	return nil
}

// charge takes up to n events from the project's limit and returns how many it got.
func (s *submission) charge(n int) int {
	if s.project.limit == nil {
		return n
	}
	return s.project.limit.Take(n, s.now())
}

// refund gives back the charge of n events that were not kept.
func (s *submission) refund(n int) {
	if s.project.limit != nil && n > 0 {
		s.project.limit.Refund(n)
	}
}

// rateLimited refuses so many events.
func (s *submission) rateLimited(events int) *problem {
	p := refuse(kindRateLimited, "The project's rate limit is reached.")
	p.retryAfter = s.project.limit.RetryAfter(events, s.now())
	return p
}

// rateLimitFields tells the client where it stands, on every 202 and 429 of a project with a limit (the fields are those of
// the IETF draft "RateLimit header fields for HTTP").
func (s *submission) rateLimitFields(k kind) {
	limit := s.project.limit
	if limit == nil || k != 0 && k != kindRateLimited {
		return
	}
	q := limit.Quota(s.now())
	window := int((limit.Window + time.Second - 1) / time.Second)
	whole := int((q.Whole + time.Second - 1) / time.Second)
	h := &s.ctx.Response.Header
	var text [64]byte
	b := append(text[:0], `"events";q=`...)
	b = strconv.AppendInt(b, limit.Events, 10)
	b = append(b, ";w="...)
	b = strconv.AppendInt(b, int64(window), 10)
	h.SetBytesV("RateLimit-Policy", b)
	b = append(text[:0], `"events";r=`...)
	b = strconv.AppendInt(b, int64(q.Left), 10)
	b = append(b, ";t="...)
	b = strconv.AppendInt(b, int64(whole), 10)
	h.SetBytesV("RateLimit", b)
}
