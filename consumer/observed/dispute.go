package observed

import (
	"time"

	"sluice/internal/backoff"
)

const (
	// CutAfter is how long, and CutAnswers how often, brokers must say that the topic ends before the offset, until
	// that is believed. A broker that comes back from a pause takes itself for the leader for up to a second.
	CutAfter   = 5 * time.Second
	CutAnswers = 4
	// RemovedAnswers is how often brokers must say that the topic begins behind the offset.
	RemovedAnswers = 2
)

// Verdict is what the bounds of a topic say about an offset that a broker does not have.
type Verdict int

const (
	// Undecided is no verdict.
	Undecided Verdict = iota
	// Stale says that the offset is on the topic: the broker does not know it yet.
	Stale
	// Removed says that the topic begins behind the offset.
	Removed
	// Cut says that the topic ends before the offset.
	Cut
)

// Dispute counts the same verdicts in a row, since the last fetch that succeeded.
type Dispute struct {
	// Times is how often the last verdict came in a row.
	Times int
	// Pause is between two questions.
	Pause backoff.Backoff

	verdict Verdict
	since   time.Time
}

// Found counts a verdict, and says whether it is certain enough to act on.
func (d *Dispute) Found(v Verdict, now time.Time) bool {
	if d.verdict != v {
		*d = Dispute{verdict: v, since: now, Pause: d.Pause}
	}
	d.Times++
	switch v {
	case Removed:
		return d.Times >= RemovedAnswers
	case Cut:
		return d.Times >= CutAnswers && now.Sub(d.since) >= CutAfter
	default:
		return false
	}
}
