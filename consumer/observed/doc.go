// Package observed is a partition's door to Kafka. It passes requests on, and reports how they end: to the partition's
// lag, to the gauge of what blocks the consumer, and to the log, which has one line for the outage of all partitions.
//
// Source and Offsets are what a consumer needs of Kafka, and what an implementer owes. Kafka wraps both. To change what
// counts as an outage, read Outage; how often brokers must say that an offset is not on the topic, Dispute. WatchLag
// asks where the partitions end that nobody fetches.
package observed
