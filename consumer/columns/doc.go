// Package columns adds custom columns to the table and the view of events, lists them and removes them.
//
// A [Manager] works on one database. A custom column is MATERIALIZED: ClickHouse computes its values from the payload
// when rows are inserted, so that consumers of any version fill it without knowing it. The definition of a column in
// ClickHouse is its only record: nothing else has to be kept in step with it. Each change may be run again after an
// interruption.
//
// What a column is: package column. The statements that change the table and the view: schema.Migrator.EditColumns. How
// old parts get their values: backfill.go.
package columns
