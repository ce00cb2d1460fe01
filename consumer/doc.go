// Package consumer takes records from Kafka and inserts rows into ClickHouse: each record is a row once, or a dead
// letter, and the group's committed offset passes it only after that.
//
// A batch is sealed, its range of offsets recorded in the metadata of an offset commit, and only then inserted, as one
// block under a token made of table, topic, partition, range and content. ClickHouse drops a block whose token it
// knows.
//
//	crash before the range is recorded  nothing was inserted: any cut will do
//	crash after that                    the next owner cuts the same range, and inserts what the table lacks of it
//	insert applied, answer lost         the table is asked; the same token drops what is still under way
//	answer of the record commit lost    nothing is inserted until the answer is known
//	a process stopped for long          it makes sure that it owns the partition, and asks the table
//	two owners                          both insert only recorded ranges, under the same tokens
//	insert applied in part              a token counts for each table partition: the missing parts are added
//	ClickHouse crashed in an insert     rows that are missing although answered go in under another token
//	token forgotten, metadata lost      ranges that are old, or below what the table has, are compared first
//	topic created anew under its name   the token has the content's hash, the comparison the event's id
//	one row refused                     the block is halved until the row is alone, and a dead letter
//	a block too large for ClickHouse    it goes in by pieces; a stretch's token is used up before its halves go in
//	a code that proves nothing          the rows are at fault if others go in, else the halves tell
//	ClickHouse away                     fetching stops when the memory is used up; nothing is skipped
//	dead-letter topic away              the partition waits; nothing is skipped
//	records gone from the topic         counted in sluice_consumer_offset_gaps_total and logged as an error
//
// On a cluster each event has a shard, and a range is in when every shard has its rows of it:
//
//	one shard fails                     it alone gets its rows again, through another replica, under the same token
//	crash between two shards            the next owner asks all of them, and inserts what is on none
//	a replica lags, or is away          a row is in when a quorum has it; the other rows are asked for again
//	other shards than at the start      nothing is inserted: rows would not meet their first copies
//
// Dead letters are acknowledged before the offset passes them. A crash in between writes them again.
//
// The contract needs this of ClickHouse: a deduplication window above 0 (non_replicated_ or replicated_), one block an
// insert, and no incremental materialised view on the table, because rows that such a view refuses are in the table all
// the same. It does not cover an insert that is still under way in ClickHouse minutes after its sender died, if its
// token was forgotten in that time.
//
// To change how a range is recorded, or what is done until a block is in, read delivery; both are pure, and a model
// tests them. When a batch is cut: fetcher.go and fetcher_pace.go. What happens to it then: recorder.go and
// insertion.go. Whose fault an error is: insertion_refused.go, and the refusals in clickhouse. What a row looks like:
// rows, rowbuilder and schema. Membership and shutdown: consumer.go and kafka. A processing step of your own: step.
//
// Not obvious: a partition's run returns only when its generation ends, because the next generation must not begin
// before its commits. And a token is trusted for less time than the group waits for a member, so a process that may
// have lost a partition without knowing it looks first.
package consumer
