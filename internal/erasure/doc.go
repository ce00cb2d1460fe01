// Package erasure says which events an erasure is about: those of a project, or of a user of a project, that happened
// or were received before the erasure. Everything that erases or keeps away events asks this package, so that all of it
// means the same events: the consumer, `sluice erase`, `sluice audit`, and the repair of a spool.
//
// A [Mark] is one erasure. It must be remembered for as long as an erased event can come again, and must not itself say
// whom it is about. So it holds a salted SHA-256 of the user's id or address. Whoever can read the list can still test
// a guess; therefore the list forgets a mark once nothing can come again.
//
// An event is covered if it was received before the erasure, or happened before it by the time in the event, corrected
// as its column timestamp is. That is what makes a resend recognisable: its bytes are those of the first copy. Later
// events of the same user are not covered: people come back. An event whose bytes do not tell when it happened may be a
// resend, or new. Such events are covered for the mark's Doubt after the erasure, which is longer than clients send
// again.
//
// The rule exists twice: [Bound.Covers] for the consumer, and [Mark.Condition] for ClickHouse. A test compares them.
//
// To change what counts as before see times.go and condition.go; what a mark is, mark.go; the look-up, list.go; records
// that are not rows, matcher.go.
package erasure
