// Package outcomes counts what the gateway refuses, and what clients say they dropped, and publishes the counts to
// Kafka. Package outcome in internal says what becomes of them and why that is exact.
//
//	Add ─▶ totals of a minute, in memory ─▶ Flush, every 5 s and when the gateway drains ─▶ publisher ─▶ Kafka or spool
//
// A total leaves memory once its minute is over and its last value was acknowledged. While Kafka is away, without a
// spool, totals stay. Memory is bounded all the same: beyond MaxTotals no project gets a new total, and what happens to
// such projects is counted without a project, under the minute in which the bound was reached.
package outcomes
