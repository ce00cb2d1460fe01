// Package step is the extension point for processing of your own: what a user does to each event between the topic and
// the table.
//
// A Step may look at an event, change it or drop it. What it returns is checked again: an event that is not valid any
// more becomes a dead letter, and never breaks a batch. Sampling and redaction are built-in steps. A step does not see
// Kafka or ClickHouse, and cannot change an event's id or its project.
//
// To add a step write a function that returns a Step, in a file of its own, and a line in New. To change what is
// redacted read redact.go and redact_patterns.go.
package step
