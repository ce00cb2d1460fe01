// Package schema makes the database, the tables and the views of events in ClickHouse, and keeps them up to date.
//
// A [Migrator] compares the schema with what the server has and makes what is missing. It guarantees that it removes
// nothing without permission: what users added or changed stays, and is reported where it matters. Each step is one
// statement that may be run again, so that an interrupted migration is continued by running it again.
//
// It keeps no list of applied migrations and does not insert events. To change an object see the *.sql files, which are
// templates over variant.go; how a difference is found is in plan.go and table.go, the retention in retention.go and
// package retention, custom columns in custom.go and edit.go, and what a server must be like in server_info.go.
package schema
