package counts

import (
	"fmt"

	"sluice/consumer/kafka"
	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/outcome"
)

// formats are those that this version knows: no other one becomes a protocol.
var formats = format.All()

// Dead adds a dead letter, whose headers may be anything. It comes from a partition of a topic.
func (c *Counts) Dead(topic string, partition int, d *kafka.DeadLetter) {
	row := Row{
		Protocol: outcome.Unknown, Outcome: outcome.DeadLettered, Reason: string(d.Reason), Events: 1,
		// A topic that was created anew repeats offsets, at other times.
		Source: outcome.SourceOf(fmt.Sprintf("dead/%s/%d/%d/%d", topic, partition, d.Offset, d.Timestamp)),
	}
	e, err := event.ParseHeaders(d.Headers)
	row.Minute = minute(e.ReceivedAt, d.Timestamp)
	if err == nil && e.Format != outcome.Format {
		row.Project = e.Project
		if e.Format == "" || formats[e.Format] != nil {
			row.Protocol = outcome.ProtocolOf(e.Format)
		}
	}
	c.rows = append(c.rows, row)
	c.bytes += rowBytes
}
