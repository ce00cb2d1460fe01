// Package canary sends an event every now and then through a gateway, and measures how long it takes until the event
// can be queried in ClickHouse. It is the engine of `sluice load --canary`.
//
// Canary events are recognisable: sdk_name is sluice.canary, the tag sluice_canary is 1, and the id is a UUIDv7 that
// ends with the ASCII letters of canary. They have one fingerprint, so a project has one issue of them.
//
//	sender ── POST ──▶ gateway ─▶ Kafka ─▶ consumer ─▶ ClickHouse
//	   └──────── pending events ──────▶ watcher ── SELECT ──┘
//
// To change what is sent see event.go; the question, clickhouse.go; what counts as good and bad, canary.go and
// verdict.go.
package canary
