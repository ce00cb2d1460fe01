// Package audit checks the guarantee on a running pipeline: of each partition of the topic of the events, every record
// is a row, or was merged with the row of the same event, or is a dead letter, or was dropped by a named step, or is
// counted as lost, or waits. It reads Kafka and ClickHouse and writes to neither.
//
//	log start              committed offset (head)      end
//	    │ offsets with a row, offsets without │   the lag   │
//
// An audit first reads the head, so records that come while it runs are lag. It then has ClickHouse count the rows of
// all partitions in buckets of offsets. A full bucket needs no more. Of the others ClickHouse lists the runs of offsets
// without a row. Each such offset needs a reason:
//
//   - Kafka has no record there: a transaction's marker, or an aborted record;
//   - a range in which a step dropped as many events as there are offsets without a row, or a counted gap;
//   - the record has the key of a row that is there: it was merged with that row;
//   - its dead letter is counted in outcomes_raw, or on the dead-letter topic;
//   - it is a gateway's record with counts, and outcomes_raw has them;
//   - the retention of the table has removed it.
//
// What is left is unaccounted for. So the costs are one grouped query of all partitions, and a look at each offset
// without a row.
//
// To change what is asked of ClickHouse see table.go and outcomes.go; how offsets without a row are divided among
// ranges and gaps, walk.go; which reason is looked for, judge.go; the reading of the topic, records.go; the sums,
// account.go; the loop, run.go.
package audit
