package main

// clickhouseBoard is about the database, from its own system tables. It shows the server that the datasource is
// connected to.
func clickhouseBoard() board {
	return board{
		uid: "sluice-clickhouse", title: "Sluice / ClickHouse", from: "now-3h",
		about:     "The database behind sluice.events: parts, merges, disks, errors, and inserts. One server.",
		variables: []variable{pickPrometheus, pickClickHouse, namespaces()},
		rows:      []row{clickhouseNow(), clickhouseInserts(), clickhouseTables()},
	}
}

func clickhouseNow() row {
	return row{"Now", []panel{
		{
			kind: number, title: "Most parts in a partition", unit: unitShort, span: 4, bad: 300,
			normal: "5 to 50.",
			act:    "Merges do not keep up. From 1,000 parts on inserts slow down, at 3,000 they fail with code 252.",
			alert:  "SluiceInsertErrors",
			queries: []query{rows(`SELECT max(parts) FROM (
  SELECT count() AS parts FROM system.parts
  WHERE active AND database = currentDatabase() AND table LIKE 'events_raw%' GROUP BY table, partition
)`)},
		},
		{
			kind: number, title: "Merges under way", unit: unitShort, span: 4,
			normal:  "0 to some.",
			act:     "If parts grow and no merge runs, look at the background pool and at disk space.",
			queries: []query{rows(`SELECT count() FROM system.merges WHERE database = currentDatabase()`)},
		},
		{
			kind: number, title: "Mutations that do not end", unit: unitShort, span: 4, bad: 1,
			normal: "0, except after an ALTER or sluice erase.",
			act:    "system.mutations says why: latest_fail_reason.",
			queries: []query{
				rows(`SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done`),
			},
		},
		{
			kind: number, title: "Fullest disk", unit: unitPercent, span: 4, bad: 0.85,
			normal: "under 80 %.",
			act:    "Add disk, or shorten --retention and run consumer migrate.",
			alert:  "SluiceConsumerBlocked",
			queries: []query{
				rows(`SELECT max(1 - unreserved_space / total_space) FROM system.disks WHERE total_space > 0`),
			},
		},
		{
			kind: number, title: "Detached parts", unit: unitShort, span: 4, bad: 1,
			normal: "0.",
			act:    "A broken part was put aside: system.detached_parts has the reason.",
			queries: []query{
				rows(`SELECT count() FROM system.detached_parts WHERE database = currentDatabase()`),
			},
		},
		{
			kind: number, title: "Replicas that are read-only", unit: unitShort, span: 4, bad: 1,
			normal: "0, also without replication.",
			act:    "The replica has lost Keeper. It goes on by itself once Keeper is back.",
			alert:  "SluiceConsumerBlocked",
			queries: []query{
				rows(`SELECT count() FROM system.replicas WHERE database = currentDatabase() AND is_readonly`),
			},
		},
	}}
}

func clickhouseInserts() row {
	return row{"Inserts of the consumers", []panel{
		{
			title: "Rows received, by the minute", unit: unitShort, span: 8,
			normal: "the rhythm of your senders, up to now.",
			act:    "If the end is missing, see Sluice / Pipeline.",
			alert:  "SluiceLag",
			queries: []query{series(`SELECT $__timeInterval(received_at) AS time, count() AS rows
FROM events_raw WHERE $__timeFilter(received_at) GROUP BY time ORDER BY time`)},
		},
		{
			title: "Receipt to row", unit: unitSeconds, span: 8, bad: 60,
			normal: "one to two seconds.",
			act:    "See Sluice / Pipeline.",
			alert:  "SluiceEventsLateFast",
			queries: []query{series(`SELECT $__timeInterval(received_at) AS time,
  quantile(0.5)(inserted_at - received_at) AS p50, quantile(0.99)(inserted_at - received_at) AS p99
FROM events_raw WHERE $__timeFilter(received_at) GROUP BY time ORDER BY time`)},
		},
		{
			title: "Failed inserts by code", unit: unitOps, span: 8, stacked: true,
			normal: "0.",
			act:    "252: too many parts. 241: memory. 243: disk. 242: read-only. network: the server is away.",
			alert:  "SluiceInsertErrors",
			queries: []query{
				prom(busy("code", "sluice_consumer_insert_errors_total", `namespace=~"$namespace"`), "{{code}}"),
			},
		},
	}}
}

func clickhouseTables() row {
	return row{"Tables and queries", []panel{
		{
			kind: list, title: "Tables", unit: unitShort, span: 12,
			normal: "events_raw takes nearly all of the disk; 60 to 250 bytes a row.",
			act:    "Shorten --retention if it is too much.",
			queries: []query{rows(`SELECT
  table, count() AS parts, uniqExact(partition) AS partitions, sum(rows) AS total_rows,
  formatReadableSize(sum(bytes_on_disk)) AS disk,
  round(sum(bytes_on_disk) / greatest(sum(rows), 1), 1) AS bytes_a_row,
  round(sum(data_uncompressed_bytes) / greatest(sum(data_compressed_bytes), 1), 1) AS compressed_by
FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table ORDER BY sum(bytes_on_disk) DESC`)},
		},
		{
			kind: list, title: "Queries under way", unit: unitShort, span: 12,
			normal: "inserts of the consumers, and what analysts ask.",
			act:    "A query that takes too long: KILL QUERY WHERE query_id = '…'. Give analysts a quota.",
			queries: []query{rows(`SELECT
  user, round(elapsed, 1) AS seconds, read_rows, formatReadableSize(memory_usage) AS memory,
  query_kind, substring(query, 1, 100) AS text, query_id
FROM system.processes ORDER BY elapsed DESC LIMIT 20`)},
		},
		{
			kind: list, title: "Errors since the server started", unit: unitShort, span: 12,
			normal: "nothing recent but what analysts mistype.",
			act:    "Look at the last message, and at the server's log.",
			alert:  "SluiceInsertErrors",
			queries: []query{rows(`SELECT
  name, code, value AS errors, last_error_time,
  substring(last_error_message, 1, 200) AS message
FROM system.errors ORDER BY last_error_time DESC LIMIT 20`)},
		},
		{
			kind: list, title: "Partitions with the most parts", unit: unitShort, span: 12,
			normal: "the current month has 5 to 50 parts, older ones a few.",
			act:    "Old months with many parts: senders with wrong clocks, or a backfill.",
			queries: []query{rows(`SELECT
  table, partition, count() AS parts, sum(rows) AS total_rows,
  max(modification_time) AS last_change
FROM system.parts WHERE active AND database = currentDatabase()
GROUP BY table, partition ORDER BY parts DESC LIMIT 20`)},
		},
	}}
}
