// Package rowbuilder makes the row of a record: it decodes and checks the event, decides when the event was received,
// and runs the processing steps.
//
// It trusts nothing that is on the topic. Whatever a record is, it becomes a row, or an error says why not, and no
// record breaks the rows of others.
//
// To change what a valid event is read internal/event; the columns of a row, rows; whose clock counts, clocks.go; the
// steps, step.
package rowbuilder
