// Package backfill is the engine of `sluice load --from`. It sends the events of files to a gateway, and each event
// becomes one row, however often the import is killed and run again.
//
//	file ▶ source ▶ splitter ▶ checker ▶ batch ▶ sender ▶ frontier ▶ progress file
//
// Three rules make an import exact:
//
//   - An event keeps its event_id. An event without one gets an id that only depends on the beginning of the file, the
//     number of the line and the bytes of the line (see checker). So a second run sends the same ids, and ClickHouse
//     merges what arrives twice.
//   - The progress file holds the end of the last batch before which every batch is settled: each event is acknowledged
//     or rejected for good. It is replaced atomically. After a crash the next run continues there, and sends the few
//     batches after it again.
//   - The progress file names the input by its size, its time of change and its first bytes. A changed input is
//     refused.
//
// A batch is settled once each of its events is acknowledged with 202 or refused for good. Everything else is sent
// again: after 429 and 503 once Retry-After is over, after an error of the connection with growing waits.
package backfill
