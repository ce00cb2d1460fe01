package consumer

import (
	"context"

	"sluice/consumer/clickhouse"
	"sluice/consumer/counts"
	"sluice/consumer/kafka"
	"sluice/internal/crashpoint"
)

// outcomeTable is where counts go.
//
// The implementer owes: InsertOutcomes returns nil only if all rows are in the table. After an error some may be. A row
// that is inserted again changes nothing.
type outcomeTable interface {
	InsertOutcomes(ctx context.Context, rows []counts.Row) error
}

// outcomeTries is how often counts are tried against a table that is missing, or that the user may not write.
const outcomeTries = 5

// writeOutcomes inserts what the batch counts, after its rows are in and before the offset can pass them. Most batches
// count nothing. While ClickHouse is away the partition waits. It returns false if ctx ended.
//
// A set-up that has no place for counts must not hold up events: then the counts are lost, which the log and a metric
// say.
func (i *insertion) writeOutcomes(ctx context.Context) bool {
	p, all := i.p, i.batch.counts.Rows(i.batch.Token(clickhouse.TableName, i.p.topic, i.p.id))
	for n := range i.batch.dead {
		all = append(all, i.deadRow(&i.batch.dead[n]))
	}
	all = append(all, i.deadRows...)
	if len(all) == 0 {
		return true
	}
	crashpoint.Reach("before_outcomes")
	for try := 1; ; try++ {
		p.watch.beat(i.loop)
		err := p.outcomes.InsertOutcomes(ctx, all)
		if err == nil {
			break
		}
		p.metrics.insertErrors.WithLabelValues(clickhouse.CodeLabel(err)).Inc()
		if clickhouse.FaultOf(err) == clickhouse.FaultSetup && try >= outcomeTries {
			p.metrics.lostCounts.Add(float64(len(all)))
			p.log.Error("counts for sluice.outcomes are lost: the table cannot be written", "counts", len(all),
				"err", clickhouse.ReasonText(err), "hint",
				"run `consumer migrate`, and grant the user INSERT on "+clickhouse.OutcomesTable)
			break
		}
		if !i.blocked.wait(ctx, blockedClickHouse, err) {
			return false
		}
	}
	crashpoint.Reach("after_outcomes")
	return true
}

// deadRow is the row that counts a dead letter.
func (i *insertion) deadRow(d *kafka.DeadLetter) counts.Row {
	return counts.DeadLetter(d.Reason, d.Headers, d.Timestamp, i.p.topic, i.p.id, d.Offset)
}
