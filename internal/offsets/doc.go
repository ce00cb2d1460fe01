// Package offsets shows how far a consumer group is on the topic of the events, and sets the group back.
//
// A group that was set back reads records again. The consumers insert only those that are not in the table, so setting
// back is safe at any time; it is how rows come back that ClickHouse lost, as long as Kafka keeps the records. Setting a
// group forward would skip records, and this package never does it.
package offsets
