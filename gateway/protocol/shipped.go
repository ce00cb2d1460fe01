package protocol

import (
	"strconv"
	"sync"

	"sluice/gateway/idset"
	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/strictjson"
)

// shipped is the memory that a request of a log shipper needs while it is split.
type shipped struct {
	decoder event.Decoder
	event   event.Event
	seen    idset.Set
	scan    strictjson.Scanner // of what is around the events
	inner   strictjson.Scanner // of a part of it
	made    int                // bytes of the events that were composed
}

var shippedPool = sync.Pool{New: func() any {
	return &shipped{decoder: event.Decoder{Formats: format.All()}}
}}

// beginShipped returns the memory for a request. The caller ends it.
func beginShipped(s *ingest.Submission) *shipped {
	sh := shippedPool.Get().(*shipped)
	sh.decoder.MaxBytes = s.MaxEventBytes()
	sh.seen.Reset()
	sh.made = 0
	return sh
}

func (sh *shipped) end() {
	sh.scan.Release()
	sh.inner.Release()
	shippedPool.Put(sh)
}

// take validates an event and gives it to the submission.
func (sh *shipped) take(s *ingest.Submission, format string, raw []byte) {
	if err := sh.decoder.DecodeAs(format, raw, &sh.event); err != nil {
		s.Reject(ingest.FromDecoder(err))
		return
	}
	sh.keep(s, raw)
}

// keep gives the event that was decoded last to the submission.
func (sh *shipped) keep(s *ingest.Submission, raw []byte) {
	if id := s.EventID(&sh.event, raw, len(s.Items())); sh.seen.Add(id) {
		s.Accept(raw, id)
	} else {
		s.Repeat(id)
	}
}

// composedShare is how many times the size of the largest bulk the events may have together that the gateway composes:
// each repeats what a request says once for several.
const composedShare = 4

// compose counts the bytes of an event that is composed, and refuses the request if there are too many.
func (sh *shipped) compose(s *ingest.Submission, size int) *ingest.Problem {
	if sh.made += size; sh.made <= composedShare*s.MaxBulkBytes() {
		return nil
	}
	return ingest.OverLimit(ingest.KindTooLarge, "The request's events, each with what they have in common, are larger than "+
		strconv.Itoa(composedShare)+" times", ingest.LimitBulkBytes, int64(s.MaxBulkBytes()), "bytes")
}

// full refuses a request with too many events.
func full(s *ingest.Submission) *ingest.Problem {
	if len(s.Items()) < event.MaxBulkEvents {
		return nil
	}
	return ingest.OverLimit(ingest.KindTooLarge, "The request has more events than", event.LimitBulkEvents,
		event.MaxBulkEvents, "events")
}

// count counts what became of the events. It returns the problem that matters most to the client, the index of the first
// event with such a problem, or nil if all events were kept.
func count(s *ingest.Submission) (worst *ingest.Problem, at int) {
	refused := 0
	for i := range s.Items() {
		p := s.Items()[i].Problem
		if p == nil {
			continue
		}
		refused++
		s.CountRefused(p)
		if w := worse(worst, p); w != worst {
			worst, at = w, i
		}
	}
	s.CountAccepted(s.Accepted())
	if refused > 0 {
		o := ingest.OutcomeOf(s.Ctx)
		o.Kind, o.Events, o.Project = worst.Kind, refused, s.ProjectID()
	}
	return worst, at
}
