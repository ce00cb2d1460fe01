// Package clickhousetest runs tests against a real ClickHouse: one embedded engine a test process, and one database a
// test.
//
// [Main] is the body of TestMain. [New] names a database, [Migrated] makes one with the schema, [NewShard] makes one
// with the tables of a cluster's server. [Proxy] is a way to the engine on which things go wrong. The rendered schemas
// in this folder are golden files: the tests of the schema compare them with what a migration sends.
//
// The package imports neither the ClickHouse client nor the schema, so that the tests of both can use it.
package clickhousetest
