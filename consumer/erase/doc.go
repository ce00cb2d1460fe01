// Package erase removes the events of a user, or of a project, from everything that holds events, and says what is gone
// and what remains where until when: the logic of `sluice erase`.
//
//	note the erasure ─▶ wait for consumers ─▶ delete rows ─▶ remove dead letters ─▶ look again ─▶ receipt
//
// The order matters. Once the erasure is noted, and every insert that does not know it is over, nothing brings the
// events back (package erased). Only then are they deleted, so what the deletion leaves is what remains. Each step may
// be repeated: an erasure that was interrupted is made again.
//
// Rows go by a mutation (ALTER TABLE … DELETE), which rewrites the parts that have such rows. A lightweight DELETE would
// only hide them. No text that ClickHouse keeps says whom the erasure is about: conditions compare salted hashes, because
// ClickHouse writes the texts of mutations into files and those of queries into logs.
//
// Of Kafka only dead letters can be removed. The events on the topic of the events remain until its retention removes
// them, and the consumers keep them out of the table until then.
//
// Treatments lists every table of the schema, and what an erasure does about it. A new table must be listed, which a test
// checks.
//
// To change what is done with rows read clickhouse.go and mutation.go; what is on Kafka, kafka.go; what a receipt says,
// receipt.go; how it is checked, check.go. Which events are meant is for internal/erasure to say.
package erase
