// Package counts gathers what a batch adds to sluice.outcomes besides its rows: counts that gateways published, events
// that processing steps dropped, and dead letters. Package outcome in internal says why the result is exact.
//
// Whoever cuts the same range from the topic gets the same counts under the same keys. So nothing here asks the clock
// of this process: an event's minute is the gateway's or, where that cannot be right, the record's own.
package counts
