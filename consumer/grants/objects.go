package grants

import "sluice/consumer/clickhouse"

// object says who may read and write one table or view of the schema.
type object struct {
	name  string
	local string // its table on each server of a cluster; empty: there is none
	// ingest are the rights of the consumer's user.
	ingest []string
	// analyst says whether analysts may read it. They need the tables behind their views, because the views read with
	// the rights of whoever asks (SQL SECURITY INVOKER), so that the row policies of the tables hold in the views.
	analyst bool
	// project is the column of a table that row policies look at. A view needs none: the tables behind it have theirs.
	project string
}

// objects are all tables and views of the schema. A test fails if the schema has one that is not here: whoever adds a
// table decides here who may read it. A table that analysts read has a project.
var objects = []object{
	{
		name: clickhouse.TableName, local: clickhouse.LocalTable, ingest: []string{"INSERT", "SELECT"},
		analyst: true, project: "project_id",
	},
	{
		name: clickhouse.OutcomesTable, local: clickhouse.LocalOutcomes, ingest: []string{"INSERT", "SELECT"},
		analyst: true, project: "project_id",
	},
	// Only consumers read the erasures. Analysts have no use for them, and could test whose events were erased.
	{name: clickhouse.ErasuresTable, ingest: []string{"SELECT"}},
	{name: "events", analyst: true},
	{name: "issues", analyst: true},
	{name: "events_per_minute", analyst: true},
	{name: "outcomes", analyst: true},
}

// tables are the names under which an object is a table or view of the database.
func (o object) tables(cluster bool) []string {
	if cluster && o.local != "" {
		return []string{o.local, o.name}
	}
	return []string{o.name}
}

// ingestOn are the rights of the consumer's user on one of the tables. On a cluster nothing is inserted through the
// Distributed table.
func (o object) ingestOn(table string, cluster bool) []string {
	var out []string
	for _, right := range o.ingest {
		if right != "INSERT" || !cluster || table == o.local {
			out = append(out, right)
		}
	}
	return out
}
