// Package realistic generates the events of an online shop, as its SDKs would have sent them over some weeks: errors
// with stack traces, logs and product events of six services, with releases, users, sessions and a daily and weekly
// rhythm.
//
// An event is a pure function of the configuration and of its index (see World). Nothing is stored but a catalogue of
// some hundred kinds of errors, so ten million events need no more memory than ten.
//
//	index ─▶ session (plan.go) ─▶ time (rhythm.go), person (people.go), release (service.go)
//	                           ─▶ page view, product event, log, or error of the catalogue (catalogue.go)
//
// 64 consecutive indexes share a chunk, which is divided into sessions: journeys of a user through the shop, bursts of
// one error, single log lines. Sessions start in the order of their indexes; their events follow seconds and minutes
// later. So events are nearly, but not wholly, in the order of their times.
//
// What the figures are made of: a tenth of the journeys ends with an order. Users return less and less, week by week.
// Most errors are as old as the shop, some come with a release, some are fixed by one and some come back. One release
// of each service is bad: a new error of its own makes up nearly half of its errors, until the next release.
package realistic
