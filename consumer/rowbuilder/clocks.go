package rowbuilder

import "time"

const (
	// clockSlack is how far two clocks may differ without one of them being wrong.
	clockSlack = time.Minute
	// longestSpooled is how long after its receipt an event may reach Kafka. It is the gateway's default for
	// --spool-max-age.
	longestSpooled = 24 * time.Hour
	// longestLag is how long after its receipt an event may be read. It is used if the record has no broker's time, or
	// a wrong one.
	longestLag = 30 * 24 * time.Hour
)

// witness is what a record says about the time at which it was received, in Unix milliseconds.
type witness struct {
	received int64 // by the gateway's clock
	stamped  int64 // the record's own time; 0: none
	byBroker bool  // stamped is the broker's; otherwise it is the gateway's, or another producer's
}

// agree says whether by its two times the record reached Kafka within a day after it was received.
func (w witness) agree() bool {
	behind := w.stamped - w.received
	return w.stamped != 0 && behind >= -clockSlack.Milliseconds() && behind <= longestSpooled.Milliseconds()
}

// receivedAt decides when an event counts as received, by the clocks of the gateway, of the broker (if the topic keeps
// the broker's times) and of this process, which says now. Retention counts from this time. So without a correction, an
// event from a gateway whose clock is wrong would be removed as soon as it is inserted, or would stay for decades.
// corrected says that the result is not the gateway's time.
//
// Two clocks that agree outvote the third. If no two agree, the later time counts: an event that is kept for too long
// does less harm than one that vanishes.
//
//	received, compared with the broker's time   this clock says            result
//	at most a day before                        anything                   received
//	later                                       received is not ahead      received: the broker is behind
//	later                                       only received is ahead     the broker's: the gateway is ahead
//	later                                       both are ahead             the broker's: the gateway is further ahead
//	more than a day before                      the broker is not ahead    the broker's: the gateway is behind, or the
//	                                                                       event was spooled, or a dead letter, for long
//	more than a day before                      the broker is ahead        received; this clock if that is over 30 days
//	                                                                       ago, because both are wrong then
//
// Without a broker's time, this clock decides alone. A time ahead of it, or more than 30 days behind, is replaced by
// now. An event whose producer set the record's time more than a day later counts from that time.
func receivedAt(w witness, now int64) (at int64, corrected bool) {
	if !w.byBroker {
		return receivedWithoutBroker(w, now)
	}
	ahead := func(at int64) bool { return at > now+clockSlack.Milliseconds() }
	switch {
	case w.agree():
		return w.received, false
	case w.received > w.stamped && ahead(w.received):
		return w.stamped, true
	case w.received > w.stamped:
		return w.received, false
	case !ahead(w.stamped):
		return w.stamped, true
	case w.received < now-longestLag.Milliseconds():
		return now, true
	default:
		return w.received, false
	}
}

func receivedWithoutBroker(w witness, now int64) (at int64, corrected bool) {
	at = w.received
	if w.stamped != 0 && w.stamped-w.received > longestSpooled.Milliseconds() {
		at = w.stamped
	}
	if !plausible(at, now) {
		at = now
	}
	return at, at != w.received
}

// plausible says whether, by this clock, an event can have been received at a time.
func plausible(at, now int64) bool {
	return at <= now+clockSlack.Milliseconds() && at >= now-longestLag.Milliseconds()
}
