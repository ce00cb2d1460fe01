// Package load is the engine of `sluice load`: it sends events to a gateway as a good client does, remembers what became of
// each, and can then prove from ClickHouse that the pipeline kept its word.
//
// An event of a run is a pure function of the run's seed, its start and the event's index (see generator). So nothing that
// was sent has to be stored: a resend builds the same bytes again, and the verifier builds them once more to compare. What is
// remembered is one byte an event, the ledger:
//
//	claim ── send ──┬─ 202 ─────────────────────────▶ acknowledged
//	                ├─ 4xx but 408 and 429 ─────────▶ rejected, final
//	                ├─ 429 ─────────────────────────▶ as before, sent again later
//	                └─ 408, 5xx, reset, timeout ────▶ ambiguous, sent again until one of the above
//
// What the verifier then reads from sluice.events must agree with the ledger:
//
//	acknowledged  exactly one row, the bytes that were sent
//	ambiguous     no row or one, the bytes that were sent
//	rejected      no row
//	never sent    no row
//
// Rows are chosen by the run's tag, so a run can be verified in a table that holds other events.
package load
