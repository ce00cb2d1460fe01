package counts

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/consumer/clickhouse"
	"sluice/internal/crashpoint"
)

// Table is where counts go.
//
// The implementer owes: InsertOutcomes returns nil only if all rows are in the table. After an error some may be. A row
// that is inserted again changes nothing.
type Table interface {
	InsertOutcomes(ctx context.Context, rows []Row) error
}

// Writer writes counts into a table.
type Writer struct {
	Table Table
	Lost  prometheus.Counter // see NewLost
	Log   *slog.Logger
}

// tries is how often counts are tried against a table that is missing, or that the user may not write.
const tries = 5

// Write inserts rows, and tries again as long as failed, which waits, returns true. It returns false if failed did.
// Most batches count nothing.
//
// A set-up that has no place for counts must not hold up events: then the counts are lost, which the log and a metric
// say.
func (w *Writer) Write(ctx context.Context, rows []Row, failed func(error) bool) bool {
	if len(rows) == 0 {
		return true
	}
	crashpoint.Reach("before_outcomes")
	for try := 1; ; try++ {
		err := w.Table.InsertOutcomes(ctx, rows)
		if err == nil {
			crashpoint.Reach("after_outcomes")
			return true
		}
		if try >= tries && clickhouse.FaultOf(err) == clickhouse.FaultSetup {
			w.Lost.Add(float64(len(rows)))
			w.Log.Error("counts for sluice.outcomes are lost", "counts", len(rows), "err", clickhouse.ReasonText(err),
				"hint", "run `consumer migrate`, and grant the user INSERT on "+clickhouse.OutcomesTable)
			return true
		}
		if !failed(err) {
			return false
		}
	}
}

// NewLost counts lost rows.
func NewLost() prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_consumer_outcomes_lost_total",
		Help: "Rows of sluice.outcomes that are lost, because its table is missing or the user may not write it.",
	})
}
