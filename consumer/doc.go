// Package consumer is the other side: it takes records from Kafka and inserts rows into ClickHouse.
//
// The delivery contract: a record's offset is committed only after its row is in ClickHouse, or its dead letter on the
// dead-letter topic. So every record is delivered at least once, and the table keeps one row of each event: rows of the same
// project and event_id are one row of the view, the first copy received.
//
//	crash before the insert            nothing was committed: the next owner reads the same records
//	crash after the insert             not committed either: the next owner inserts the same rows again, and they merge away
//	insert applied, answer lost        tried again, the same
//	partition taken over meanwhile     both insert, the rows are the same; the old owner's commit is refused
//	ClickHouse away                    fetching stops when two batches are full; membership stays; nothing is skipped
//	dead-letter topic away             the partition waits; nothing is skipped
//	records gone from the topic        counted in sluice_consumer_offset_gaps_total and logged as an error
//
// To change what a row looks like read block.go, process.go and schema/; when a batch is cut and what happens to it,
// partition.go; membership and shutdown, consumer.go; which errors are whose fault, retry.go.
//
// Not obvious: in a kafka-go Generation the first function that returns ends the generation for all, so a partition's run
// returns only when its context has ended.
package consumer
