package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// claimComment begins the comment of a database that a program made for itself.
const claimComment = "made by "

// Claim makes the database for the program called by, and marks the database as the program's own in the database's
// comment. It returns the database's name and whether the database is the program's own. A database that exists with
// another comment is not, and is left alone.
func (m *Migrator) Claim(ctx context.Context, by string) (database string, own bool, err error) {
	opts, err := m.cfg.ClickHouse.Options()
	if err != nil {
		return "", false, err
	}
	db, err := openDefault(ctx, m.cfg.ClickHouse)
	if err != nil {
		return "", false, err
	}
	defer db.Close() //nolint:errcheck // nothing is pending
	v := m.variant(opts.Auth.Database)
	comment, there, err := databaseComment(ctx, db, v.Database)
	if err != nil || there {
		return v.Database, there && comment == claimComment+by, err
	}
	if _, err := db.ExecContext(ctx, v.createDatabase()+" COMMENT '"+claimComment+by+"'"); err != nil {
		return v.Database, false, fmt.Errorf("create database %s: %w", v.Database, err)
	}
	comment, _, err = databaseComment(ctx, db, v.Database) // another program may have made it first
	return v.Database, comment == claimComment+by, err
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
