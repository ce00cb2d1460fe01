// Package column says what a custom column is: a column of events_raw whose values ClickHouse computes from the payload.
//
// [New] makes a [Column] of a name, a type and a path, or says what is wrong with them. [Column.Definition] is the
// column in SQL, and [Read] is its inverse: the definition in ClickHouse is the only record of a custom column. The
// package guarantees that the expression of a column never fails, whatever the payload is, so that no insert fails for
// it, and that no name is one that Sluice has or will have itself.
//
// It knows neither ClickHouse's connection nor the views. For the types see type.go, for the paths path.go, for the
// names name.go.
package column
