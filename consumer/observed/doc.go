// Package observed is a partition's door to Kafka. It passes requests on, and reports how they end: to the partition's
// lag, and to the gauge of what blocks the consumer.
//
// Source and Offsets are what a consumer needs of Kafka, and what an implementer owes. Kafka wraps both. To change what
// counts as an outage, read Outage. WatchLag asks where the partitions end that nobody fetches.
package observed
