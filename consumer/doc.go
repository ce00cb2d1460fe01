// Package consumer is the other side: it takes records from Kafka and inserts rows into ClickHouse.
//
// The delivery contract: each record is a row of the table once, or a dead letter, and the group's committed offset passes it only
// after that. A batch is sealed, its range of offsets recorded in the metadata of an offset commit, and only then inserted, as one block
// under a token made of table, topic, partition, range and content. ClickHouse drops a block whose token it knows.
//
//	crash before the range is recorded  nothing was inserted: any cut will do
//	crash after that                    the next owner cuts the same range, and inserts what the table lacks of it
//	insert applied, answer lost         the table is asked; the same token drops what is under way somewhere
//	record's answer lost                nothing is inserted until the answer is known
//	a process stopped for long          before it inserts anything it makes sure that the partition is its own, and asks the table
//	two owners                          only recorded ranges are inserted, by both under the same token; one of the two cannot record
//	insert applied in part              a token counts for each table partition: the missing parts are added
//	ClickHouse crashed in an insert     rows that are missing although answered go in under a second token
//	token forgotten, metadata lost      ranges that start below what the table has, or are old, are compared with it first
//	topic made anew under its name      the token has the content's hash, the comparison the event's id
//	one row refused                     the block is halved until it is alone; then a dead letter, if others are accepted
//	a block too large for ClickHouse    it goes in by parts; a stretch's token is used up before its halves go in; the next are smaller
//	a code that proves nothing          it is the rows' if it comes again for them while others go in, else the halves tell
//	ClickHouse away                     fetching stops when the budget of memory is used up; membership stays; nothing is skipped
//	dead-letter topic away              the partition waits; nothing is skipped
//	records gone from the topic         counted in sluice_consumer_offset_gaps_total and logged as an error
//
// On a cluster each event has a shard, and a range is in when every shard has its rows of it:
//
//	one shard fails                     it alone is sent its rows again, through another replica, under the same token
//	crash between two shards            the next owner asks all of them, and inserts what is on none
//	a replica lags, or is away          a row is in when a quorum has it; what fewer have is asked for again
//	other shards than at the start      nothing is inserted: rows would not meet their first copies
//
// Dead letters are acknowledged before the offset passes them; a crash in between writes them again.
//
// What it rests on: the table's non_replicated_deduplication_window (or the replicated one) is not nought, each insert is one block
// (one Do of ch-go without OnInput, one POST in the Native format), and no incremental materialised view hangs on the table:
// what such a view refuses is in the table all the same. What it does not cover: an insert that is still under way in ClickHouse,
// minutes after its sender died, when its token has been forgotten meanwhile.
//
// To change how a range is recorded read ranges.go and ranges_metadata.go; what is done until a block is in, settle.go and settle_size.go, and shards.go where it goes; all do no I/O,
// and ranges_model_test.go puts them through everything that can go wrong. When a batch is cut, partition_fetch.go; what
// happens to it, partition_record.go and partition_insert.go. What a row looks like, block.go, process.go and schema/; membership and
// shutdown, consumer.go; which errors are whose fault, refusal.go and partition_refused.go; how records are read off the wire, kafka_fetch.go and kafka_batch.go.
//
// Not obvious: in a kafka-go Generation the first function that returns ends the generation for all, so a partition's run
// returns only when its context has ended. And a token is trusted for less time than the group waits for a member, so whoever can
// have lost a partition without knowing it looks first.
package consumer
