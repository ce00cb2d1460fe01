package counts

import (
	"errors"

	"sluice/internal/event"
	"sluice/internal/outcome"
	"sluice/internal/recordbatch"
)

// Row is a row of outcomes_raw.
type Row = outcome.Row

// Range is the recorded range of a batch.
type Range = outcome.Range

// Counts are those of one batch. The zero value is empty. It is not safe for concurrent use.
type Counts struct {
	rows    []Row // of gateways and of dead letters
	dropped map[dropped]int64
	bytes   int
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

// Published takes a record that is no event, which err says. It returns nil if the record has counts of a gateway, and
// otherwise why the record is a dead letter.
func (c *Counts) Published(r *recordbatch.Record, err error) error {
	refused, ok := errors.AsType[*event.RecordError](err)
	if !ok || refused.Reason != event.DeadUnknownFormat {
		return err
	}
	if e, bad := event.ParseHeaders(r.Headers); bad != nil || e.Format != outcome.Format {
		return err
	}
	rows, bad := outcome.Decode(r.Value)
	if bad != nil {
		return &event.RecordError{Reason: event.DeadInvalidEvent, Detail: bad.Error()}
	}
	c.rows = append(c.rows, rows...)
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

// Rows returns the rows to insert. token names the batch's range, at.
func (c *Counts) Rows(at Range, token string) []Row {
	rows := c.rows
	if len(c.dropped) == 0 {
		return rows
	}
	source := outcome.SourceOfRange(at, token)
	for k, n := range c.dropped {
		rows = append(rows, Row{
			Project: k.project, Minute: k.minute, Protocol: k.protocol, Outcome: outcome.Filtered, Reason: k.step,
			Events: n, Source: source,
		})
	}
	return rows
}
