// Package load is the engine of `sluice load`. It sends events to a gateway like a good client, records the fate of
// each, and can then prove with ClickHouse that the pipeline lost, doubled and altered none.
//
// An event of a run is a pure function of the run's seed, its start and the event's index (see generator). So a run
// stores no event: a resend builds the same bytes again, and so does the verifier. A run stores one byte per event, the
// ledger:
//
//	claim ── send ──┬─ 202 ─────────────────────────▶ acknowledged
//	                ├─ 4xx but 408 and 429 ─────────▶ rejected, final
//	                ├─ 429 ─────────────────────────▶ unchanged, sent again later
//	                └─ 408, 5xx, reset, timeout ────▶ ambiguous, sent again until one of the above
//
// The rows in sluice.events must match the ledger:
//
//	acknowledged  exactly one row, the bytes that were sent
//	ambiguous     no row or one, the bytes that were sent
//	rejected      no row
//	never sent    no row
//
// The verifier selects rows by the run's tag, so the table may hold other events.
package load
