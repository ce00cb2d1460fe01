package counts

import (
	"fmt"
	"time"

	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/outcome"
)

// Row is a row of outcomes_raw.
type Row = outcome.Row

// Counts are those of one batch. The zero value is empty. It is not safe for concurrent use.
type Counts struct {
	published []outcome.Row
	dropped   map[dropped]int64
	bytes     int
}

// dropped is what events that a step dropped are counted by.
type dropped struct {
	project, protocol, step string
	minute                  int64
}

const (
	// rowBytes is about what a row takes in memory, with its texts.
	rowBytes = 200
	// droppedBytes is about what an entry of Counts.dropped takes.
	droppedBytes = 150
)

// Published adds the counts of a gateway's record. It returns an error if the value is not such a record.
func (c *Counts) Published(value []byte) error {
	rows, err := outcome.Decode(value)
	if err != nil {
		return err
	}
	c.published = append(c.published, rows...)
	c.bytes += len(rows) * rowBytes
	return nil
}

// Dropped adds an event that a step dropped. stamped is the record's time in Unix milliseconds, 0 for none.
func (c *Counts) Dropped(e *event.Envelope, stamped int64, step string) {
	k := dropped{e.Project, outcome.ProtocolOf(e.Format), step, minute(e.ReceivedAt, stamped)}
	if c.dropped == nil {
		c.dropped = map[dropped]int64{}
	}
	if c.dropped[k]++; c.dropped[k] == 1 {
		c.bytes += droppedBytes
	}
}

// Bytes is about what the counts take in memory.
func (c *Counts) Bytes() int { return c.bytes }

// Rows returns the rows to insert, without those of dead letters. token names the batch's range.
func (c *Counts) Rows(token string) []outcome.Row {
	rows := c.published
	if len(c.dropped) == 0 {
		return rows
	}
	source := outcome.SourceOf("dropped/" + token)
	for k, n := range c.dropped {
		rows = append(rows, outcome.Row{
			Project: k.project, Minute: k.minute, Protocol: k.protocol, Outcome: outcome.Filtered, Reason: k.step,
			Events: n, Source: source,
		})
	}
	return rows
}

// formats are those that this version knows: no other one becomes a protocol.
var formats = format.All()

// DeadLetter returns the row of a dead letter: its reason, its headers, which may be anything, its record's time in Unix
// milliseconds, 0 for none, and its place on the topic.
func DeadLetter(
	reason event.DeadReason, headers []event.Header, stamped int64, topic string, partition int, offset int64,
) outcome.Row {
	row := outcome.Row{
		Protocol: outcome.Unknown, Outcome: outcome.DeadLettered, Reason: string(reason), Events: 1,
		Minute: minute(time.Time{}, stamped),
		// A topic that was created anew repeats offsets, at other times.
		Source: outcome.SourceOf(fmt.Sprintf("dead/%s/%d/%d/%d", topic, partition, offset, stamped)),
	}
	e, err := event.ParseHeaders(headers)
	if err != nil {
		return row
	}
	row.Minute = minute(e.ReceivedAt, stamped)
	if e.Format == outcome.Format {
		return row
	}
	row.Project = e.Project
	if e.Format == "" || formats[e.Format] != nil {
		row.Protocol = outcome.ProtocolOf(e.Format)
	}
	return row
}

const (
	// clockSlack is how far the clocks of gateway and broker may differ.
	clockSlack = time.Minute
	// longestSpooled is how long after its receipt a record may reach Kafka.
	longestSpooled = 24 * time.Hour
)

// minute returns the minute in which an event was received. That is the gateway's, unless the record's own time, in
// Unix milliseconds, says that it cannot be. Without either it is the first one of 1970.
func minute(received time.Time, stamped int64) int64 {
	at := time.UnixMilli(max(0, stamped))
	if !received.IsZero() {
		if late := at.Sub(received); stamped == 0 || late >= -clockSlack && late <= longestSpooled {
			at = received
		}
	}
	const latest = 1 << 32 // a DateTime ends there
	return min(max(0, outcome.MinuteOf(at)), outcome.MinuteOf(time.Unix(latest-60, 0)))
}
