// Package format reads the items of other protocols than our own: what Sentry's, OpenTelemetry's, Segment's and other
// clients send becomes an event.Event.
//
// The gateway reads an item to validate it and to find its id. It puts the item's own JSON on the topic, under the
// format's name. The consumer reads the same JSON with the same reader to make a row. So identity, fingerprint and
// columns of an item come from one place.
//
// A reader is lenient where event.Decoder is strict: clients of these protocols drop what is refused, so a member of
// an unexpected type counts as absent. Only JSON itself is read as strictly, because ClickHouse reads the payload too.
//
// Each format is one file. To add a format, write its Reader and name it in All. A name and what it means stay for
// good: records under it may be on topics for days, and in dead letters for longer. A consumer that does not know a
// name makes a dead letter of the record, which can be replayed after an update.
package format
