package clickhouse

import (
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

const (
	// TableName is the table of the rows. On a cluster it is a Distributed table over LocalTable.
	TableName = "events_raw"
	// LocalTable holds the rows of a cluster, on each of its servers.
	LocalTable = "events_local"
	// OutcomesTable is the table of counts. On a cluster it is a Distributed table over LocalOutcomes.
	OutcomesTable = "outcomes_raw"
	// LocalOutcomes holds the counts of a cluster, on each of its servers.
	LocalOutcomes = "outcomes_local"
)

const (
	// InsertTimeout bounds one attempt to insert. What ClickHouse has not answered by then counts as failed.
	InsertTimeout = 2 * time.Minute
	// askTimeout bounds one question.
	askTimeout = 30 * time.Second
	// dialTimeout bounds one attempt to connect.
	dialTimeout = 5 * time.Second
)

// Quote writes a text as a literal of SQL.
func Quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// insertStatement names the columns, so that columns that a migration adds later take their defaults. It names the
// database too: a connection into a database that is not there yet is refused at its handshake, which says less than an
// insert's answer does, and ends an embedded engine.
func insertStatement(database, table string, columns proto.Input) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = strconv.Quote(c.Name)
	}
	return "INSERT INTO " + database + "." + table + " (" + strings.Join(names, ", ") + ")"
}
