package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
)

// sqlQuery is a query of Grafana's plugin for ClickHouse, for which the SDK has no type.
type sqlQuery struct {
	Datasource common.DataSourceRef `json:"datasource"`
	EditorType string               `json:"editorType"`
	Format     int                  `json:"format"`
	QueryType  string               `json:"queryType"`
	RawSQL     string               `json:"rawSql"`
	RefID      string               `json:"refId"`
}

// The plugin's names of what a query answers.
const (
	formatSeries = 0
	formatTable  = 1
)

// series is a query whose first column is a time. Texts name the lines, numbers are their values.
func series(sql string) *sqlQuery {
	return &sqlQuery{
		Datasource: clickhouseRef(), EditorType: "sql", Format: formatSeries, QueryType: "timeseries", RawSQL: sql,
	}
}

// rows is a query for a table or for one number.
func rows(sql string) *sqlQuery {
	return &sqlQuery{
		Datasource: clickhouseRef(), EditorType: "sql", Format: formatTable, QueryType: "table", RawSQL: sql,
	}
}

// Build is part of cog.Builder.
func (q *sqlQuery) Build() (variants.Dataquery, error) { return *q, nil }

// The other methods are those of variants.Dataquery.

func (sqlQuery) ImplementsDataqueryVariant() {}

// DataqueryType returns the plugin's type.
func (sqlQuery) DataqueryType() string { return typeClickHouse }

// Validate accepts every query.
func (sqlQuery) Validate() error { return nil }

// Equals compares two queries.
func (q sqlQuery) Equals(other variants.Dataquery) bool {
	o, is := other.(sqlQuery)
	return is && o.RawSQL == q.RawSQL && o.RefID == q.RefID && o.Format == q.Format
}
