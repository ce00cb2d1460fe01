// Package deadletters reads the dead-letter topic, and puts dead letters back on the topic of the events.
//
// A dead letter is a record that could not become a row: its own key, value and headers, and the headers dead-… with
// the reason, the place that it came from and the time. Reading changes nothing. Replaying writes the record again as
// it was, without the headers dead-…, to the partition that it came from. The ids stay the same, so a letter that is
// replayed twice, or whose event arrived by another way, is one row. A record that still cannot become a row becomes a
// new dead letter, and Replay reports it.
//
// Purge removes letters for good, for `sluice erase`.
//
// To change what a letter is read into see letter.go; which letters are meant, filter.go; the reading of the topic,
// reader.go; the replay, replay.go; what became of it, fate.go; removal, purge.go.
package deadletters
