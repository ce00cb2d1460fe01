package clickhouse

import (
	"context"

	"sluice/internal/erasure"
)

// ErasuresTable is the table of erasures. On a cluster each server has all of its rows.
const ErasuresTable = "erasures"

// Erasures returns the erasures that the table has now. Where the table, or its database, is missing there are none.
func (t *Table) Erasures(ctx context.Context) ([]erasure.Mark, error) {
	cfg := t.topology.cfg
	opts, err := cfg.Options()
	if err != nil {
		return nil, err
	}
	lines, err := discovery{cfg}.ask(ctx, "SELECT "+erasure.TextOf+" FROM "+opts.Auth.Database+"."+ErasuresTable+
		" WHERE forget_at > now() SETTINGS use_query_cache = 0")
	if code := Code(err); code == codeUnknownTable || code == codeUnknownDatabase {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	marks := make([]erasure.Mark, len(lines))
	for i, line := range lines {
		if marks[i], err = erasure.Parse(line); err != nil {
			return nil, err
		}
	}
	return marks, nil
}

// The codes of ClickHouse for what is not there.
const (
	codeUnknownTable    = 60
	codeUnknownDatabase = 81
)

// MayNotRead reports whether an error says that the user lacks a right.
func MayNotRead(err error) bool {
	code := Code(err)
	return code == 497 || code == 516
}
