// Package consumer takes records from Kafka and inserts rows into ClickHouse: each record is a row once, or a dead
// letter, and the group's committed offset passes it only after that.
//
// A batch is sealed, its range of offsets recorded in the metadata of an offset commit, and only then inserted, as one
// block under a token made of table, topic, partition, range and content. ClickHouse drops a block whose token it
// knows. docs/design.md lists what can fail, on one server and on a cluster, and why each row is still there once.
//
// Dead letters are acknowledged before the offset passes them. A crash in between writes them again.
//
// The contract needs this of ClickHouse: a deduplication window above 0 (non_replicated_ or replicated_), one block an
// insert, and no incremental materialised view on the table, because rows that such a view refuses are in the table all
// the same. It does not cover an insert that is still under way in ClickHouse minutes after its sender died, if its
// token was forgotten in that time.
//
// Partitions may share a block: each records its own range, and one insert has the rows of all, see shared and
// delivery.
//
// To change how a range is recorded, or what is done until a block is in, read delivery; both are pure, and models test
// them. When a batch is cut: fetcher.go and fetcher_pace.go. What happens to it then: recorder.go and insertion.go.
// Which partitions insert together: shared. What counts as an outage of Kafka, and when brokers are believed about
// offsets: observed. Whose fault an error of ClickHouse is: insertion_refused.go, and the refusals in clickhouse. What
// a row looks like: rows, rowbuilder and schema. Membership and shutdown: consumer.go and kafka. Counts for
// sluice.outcomes: counts. A processing step of your own: step.
//
// Not obvious: a partition's run returns only when its generation ends, because the next generation must not begin
// before its commits. And a token is trusted for less time than the group waits for a member, so a process that may
// have lost a partition without knowing it looks first.
package consumer
