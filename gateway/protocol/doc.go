// Package protocol has the protocols that the gateway speaks, one file each.
//
// A protocol finds the key of a request, splits its body into events, and writes the answers that its clients expect.
// What an item of the body means as an event is the business of package format, which the consumer uses too. Limits,
// sizes, Kafka and the spool are the business of package ingest, and the same for all protocols.
//
// To add a protocol: write its reader in package format, its ingest.Protocol here, a row for each of its paths in the
// gateway's routes.go, and the paths in openapi.json. The tests say what is missing.
package protocol
