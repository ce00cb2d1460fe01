// Package rows holds the rows of one insert as ClickHouse's columns.
//
// A [Block] is filled row by row, sent as it is, and used again. [Pool] keeps empty blocks. A block guarantees that all
// of its columns have the same number of values ([Block.Check]), and that the same rows are sent as the same bytes, so
// that ClickHouse recognises a block that is sent again by its token.
//
// The package does not connect to ClickHouse and does not decide what becomes a row. To add a column, see
// CONTRIBUTING.md.
package rows
