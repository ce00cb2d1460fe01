package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sluice/consumer/clickhouse"
)

// claimComment is the comment of a database that a program made for itself.
const claimComment = "made by "

// Claim makes the database for the program called by, and marks it as that program's own in the database's comment. It
// returns the database's name, and whether the database is the program's own: one that was there and has another
// comment is not, and is left as it is.
func (m *Migrator) Claim(ctx context.Context, by string) (database string, own bool, err error) {
	opts, err := m.store.ClickHouse.Options()
	if err != nil {
		return "", false, err
	}
	opts.DialTimeout = clickhouse.DialTimeout
	db, err := openDefault(ctx, *opts)
	if err != nil {
		return "", false, err
	}
	defer db.Close() //nolint:errcheck // nothing is pending
	f := m.flavour(opts)
	comment, there, err := databaseComment(ctx, db, f.database)
	if err != nil || there {
		return f.database, there && comment == claimComment+by, err
	}
	if _, err := db.ExecContext(ctx, f.createDatabase()+" COMMENT '"+claimComment+by+"'"); err != nil {
		return f.database, false, fmt.Errorf("create database %s: %w", f.database, err)
	}
	comment, _, err = databaseComment(ctx, db, f.database) // somebody else may have been quicker
	return f.database, comment == claimComment+by, err
}

func databaseComment(ctx context.Context, db *sql.DB, name string) (comment string, there bool, err error) {
	err = db.QueryRowContext(ctx, "SELECT comment FROM system.databases WHERE name = '"+name+"'").Scan(&comment)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("look for database %s: %w", name, err)
	}
	return comment, true, nil
}
