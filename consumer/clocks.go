package consumer

import "time"

const (
	// clockSlack is how far two of our clocks may differ without either being called wrong.
	clockSlack = time.Minute
	// longestSpooled is how long after its receipt an event may reach Kafka. It is the gateway's default for --spool-max-age.
	longestSpooled = 24 * time.Hour
	// longestLag is how long after Kafka took it an event is believed to be read when the broker's clock is no help.
	longestLag = 30 * 24 * time.Hour
)

// receivedAt is the time an event counts as received at, in Unix milliseconds, judged by three clocks: the gateway's, which
// said received; the broker's, which said appended (0 where the topic keeps the producers' times); and this process's.
// Retention counts from this time, so an event from a gateway whose clock is wrong would be removed as too old in the moment
// it is inserted, or would stay for decades. corrected says that received was not believed.
//
// Two clocks that agree outvote the third. Where they cannot, the later time counts, because an event that is kept for too
// long does less harm than one that vanishes.
//
//	received, compared with appended      this clock says             result
//	at most a day before                  anything                    received
//	later                                 received is not ahead       received: the broker is behind
//	later                                 only received is ahead      appended: the gateway is ahead
//	later                                 both are ahead              appended: the gateway is further ahead
//	more than a day before                appended is not ahead       appended: the gateway is behind, or the event spent long in
//	                                                                  a spool or among the dead letters
//	more than a day before                appended is ahead           received: the broker is ahead; this clock if that is
//	                                                                  more than 30 days ago, because both are wrong then
func receivedAt(received, appended int64, clock func() time.Time) (at int64, corrected bool) {
	behind := appended - received
	if appended != 0 && behind >= -clockSlack.Milliseconds() && behind <= longestSpooled.Milliseconds() {
		return received, false
	}
	now := clock().UnixMilli()
	ahead := func(at int64) bool { return at > now+clockSlack.Milliseconds() }
	switch {
	case appended == 0 && ahead(received):
		return now, true
	case appended == 0:
		return received, false
	case behind < 0 && ahead(received):
		return appended, true
	case behind < 0:
		return received, false
	case !ahead(appended):
		return appended, true
	case received < now-longestLag.Milliseconds():
		return now, true
	default:
		return received, false
	}
}
