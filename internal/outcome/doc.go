// Package outcome is the contract between the gateway and the consumer about sluice.outcomes: what became of everything
// that clients sent, counted by project, minute, protocol, outcome and reason.
//
// Each outcome is counted where it is known exactly, and the counts lie so that writing one again changes nothing:
//
//	accepted        is not written at all: the view counts the rows of events_raw, each event once, by the minute of
//	                its receipt. It is as exact as sluice.events, whoever was killed, and a resend counts once
//	dead_lettered   by the consumer, a row for each record, named by the record's place on its topic
//	filtered        by the consumer, a row for each recorded range, named by the range's token: whoever replays the range
//	                cuts it alike and drops the same events
//	rejected,       by the gateway, which alone knows them. It counts in memory and publishes the counts with acks=all,
//	rate_limited,   every few seconds and when it drains, as records of the format Format on the topic of the events.
//	client_dropped  Publisher, spool, consumer and recorded ranges treat such a record as they treat an event
//
// A gateway's counts are totals: how often this happened in this minute, since this process started. A later total
// replaces an earlier one, because both have the same key and the larger number wins (ReplacingMergeTree). So a record
// that comes twice, late, or after its successor changes nothing, and a record that is lost is made up for by the next.
// The process names itself with an id of its own, so that a restarted gateway adds to what the last one counted.
//
// A gateway that is killed loses the refusals since its last publication, and never an accepted event. Nothing is
// journalled for a refusal: it promised the client nothing, and an fsync for each would let whoever sends nonsense load
// the disk.
//
// All texts are words of closed lists, except the project. The consumer checks their form and not the list, so that a
// consumer understands the words of newer gateways.
package outcome
