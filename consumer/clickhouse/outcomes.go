package clickhouse

import (
	"context"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go/proto"

	"sluice/internal/outcome"
)

// InsertOutcomes inserts counts. It returns nil only when all of them are in the table. After an error some may be, and
// the caller inserts all of them again: a count that is there twice is there once, see package outcome.
//
// On a cluster a count's shard follows from its source, so that all values of a count meet.
func (t *Table) InsertOutcomes(ctx context.Context, rows []outcome.Row) error {
	at, err := t.topology.current(ctx)
	if err != nil {
		return err
	}
	parts := make([][]outcome.Row, len(at.shards))
	if len(parts) == 1 {
		parts[0] = rows
	} else {
		for _, r := range rows {
			n := at.sharding.of(nil, r.Source)
			parts[n] = append(parts[n], r)
		}
	}
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for n, part := range parts {
		if len(part) > 0 {
			all.Go(func() {
				columns := outcomeColumns(part)
				errs[n] = at.shards[n].insert(ctx, func(c *session) error { return c.sendOutcomes(ctx, columns) })
			})
		}
	}
	all.Wait()
	if len(errs) == 1 {
		return t.topology.noted(errs[0])
	}
	return t.topology.noted(worst(errs))
}

// sendOutcomes inserts columns of counts.
func (s *session) sendOutcomes(ctx context.Context, columns proto.Input) error {
	table := OutcomesTable
	if s.table == LocalTable {
		table = LocalOutcomes
	}
	return s.insert(ctx, table, columns, "")
}

// outcomeColumns are counts as the columns of outcomes_raw.
func outcomeColumns(rows []outcome.Row) proto.Input {
	var project, protocol, what, reason, category proto.ColStr
	var minute proto.ColDateTime
	var source proto.ColUUID
	var events proto.ColUInt64
	minute.Location = time.UTC
	for _, r := range rows {
		project.Append(r.Project)
		minute.AppendRaw(proto.DateTime(r.Minute)) // within the bounds of a DateTime
		protocol.Append(r.Protocol)
		what.Append(r.Outcome)
		reason.Append(r.Reason)
		category.Append(r.Category)
		source.Append(r.Source)
		events.Append(uint64(r.Events)) // above 0
	}
	return proto.Input{
		{Name: "project_id", Data: &project}, {Name: "minute", Data: &minute}, {Name: "protocol", Data: &protocol},
		{Name: "outcome", Data: &what}, {Name: "reason", Data: &reason}, {Name: "category", Data: &category},
		{Name: "source", Data: &source}, {Name: "events", Data: &events},
	}
}
