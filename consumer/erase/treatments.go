package erase

import "sluice/consumer/clickhouse"

// Treatment is what an erasure does about a table.
type Treatment int

// The treatments.
const (
	// RowsOfEvents are deleted, whoever the erasure is about.
	RowsOfEvents Treatment = iota + 1
	// CountsOfProject are deleted if a whole project is erased: they are no one user's.
	CountsOfProject
	// ListOfErasures says itself what was erased, by salted hashes, and forgets it.
	ListOfErasures
	// ReadsOthers is a view, or a Distributed table: it holds nothing itself.
	ReadsOthers
)

// Treatments are those of all tables and views of the schema, on a single server and on a cluster. A table that holds
// rows of events, or what was computed from them, belongs here before it belongs into the schema.
var Treatments = map[string]Treatment{
	clickhouse.TableName:     RowsOfEvents,    // on a cluster Distributed, see tableOn
	clickhouse.LocalTable:    RowsOfEvents,    // on a cluster
	clickhouse.OutcomesTable: CountsOfProject, // on a cluster Distributed
	clickhouse.LocalOutcomes: CountsOfProject, // on a cluster
	clickhouse.ErasuresTable: ListOfErasures,
	"events":                 ReadsOthers,
	"issues":                 ReadsOthers,
	"events_per_minute":      ReadsOthers,
	"outcomes":               ReadsOthers,
}
