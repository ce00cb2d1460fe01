package schema

import "sluice/consumer/clickhouse"

// tokenSeconds is for how long a replicated table remembers tokens: as long as Kafka keeps events by default.
const tokenSeconds = 7 * 24 * 60 * 60

// variant is the kind of ClickHouse that the schema is rendered for. The files of the schema are templates over it.
type variant struct {
	Database    string
	Cluster     string       // its name; empty: a single server
	Cloud       bool         // ClickHouse Cloud
	TTL         string       // an expression; empty: rows are kept for ever
	OutcomesTTL string       // the same, of the counts
	Custom      []part       // the custom columns of the table of events
	Extra       []viewColumn // what the view of events has after the columns of the schema
}

// Table is the table that has the rows.
func (v variant) Table() string {
	if v.Cluster != "" {
		return clickhouse.LocalTable
	}
	return clickhouse.TableName
}

// Outcomes is the table that has the counts.
func (v variant) Outcomes() string {
	if v.Cluster != "" {
		return clickhouse.LocalOutcomes
	}
	return clickhouse.OutcomesTable
}

// OnCluster is the clause that has a statement carried out on every server of the cluster, after a space. On a single
// server it is empty.
func (v variant) OnCluster() string {
	if v.Cluster == "" {
		return ""
	}
	return " ON CLUSTER " + clickhouse.Quote(v.Cluster)
}

// Replicated reports whether tables are replicated. On ClickHouse Cloud all tables are, whatever engine is named.
func (v variant) Replicated() bool { return v.Cluster != "" || v.Cloud }

// TokenSeconds is for how long a replicated table remembers tokens, in seconds.
func (variant) TokenSeconds() int { return tokenSeconds }

// ShardKey is the sharding key of the Distributed table.
func (variant) ShardKey() string { return clickhouse.ShardKey }

// OutcomesShardKey is the sharding key of the Distributed table of counts.
func (variant) OutcomesShardKey() string { return clickhouse.OutcomesShardKey }

// createDatabase is the statement before all others.
func (v variant) createDatabase() string {
	return "CREATE DATABASE IF NOT EXISTS " + v.Database + v.OnCluster()
}
