// Package retention says for how long the table of events keeps rows, and writes and reads that as a TTL of ClickHouse.
//
// A [Policy] is a time for all projects and other times for some. [Policy.TTL] and [Parse] are inverse. [Projects] reads
// the setting of the projects.
//
// The TTL is one expression over the row. TTLs with conditions, one for each project, cost the same: ClickHouse drops a
// part whose rows are all due, and rewrites one of which some are. What matters is when rows are due. The rows of a part
// are of one day, and due within one day if each is due to the second; ClickHouse looks every four hours, and rewrites
// the part each time. So all rows that were received on a day (UTC) are due at the same moment, up to a day later. Parts
// of 150 MB whose rows were due over ten looks wrote 690 to 760 MB until they were gone, and 38 MB if all rows were due
// at the end. A project with a time of its own makes ClickHouse rewrite each part once, without the rows of the project.
//
// ttl_only_drop_parts would spare that too, and must stay off: days 128 apart share a table partition, so with a long
// retention a part has young rows beside the old ones, and would never be dropped.
package retention
