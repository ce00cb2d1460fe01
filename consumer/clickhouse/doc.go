// Package clickhouse inserts blocks into ClickHouse and asks which rows are there.
//
// [Table] is events_raw of one server, or of a cluster's shards and replicas. It guarantees that [Table.Insert] returns
// nil only when every row of the block is in the table. It does not retry and does not decide what becomes of a refused
// block: [FaultOf], [Hint] and [ReasonText] say what an error means, and the caller acts.
//
//	Table.Insert ─▶ shard.write ─▶ session.send ─▶ connection.sendBlock (native.go, http.go)
//
// To change the settings of an insert see server.go, what an error code means faults.go, how rows are distributed
// sharding.go, and how a cluster is discovered topology.go. The columns are in package rows, the tables in package
// schema.
package clickhouse
