package columns

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"sluice/consumer/columns/column"
	"sluice/consumer/schema"
)

// AddOptions say how Add works.
type AddOptions struct {
	DryRun     bool // print the statements, change nothing
	NoBackfill bool // leave old parts as they are
}

// Add adds a custom column to the table and the view of events, and then backfills the parts that are there. A column
// that is there already with the same type and path is no error: what an interrupted run has left is done.
func (m *Manager) Add(ctx context.Context, c column.Column, how AddOptions) error {
	return m.connect(ctx, func(s *session) error {
		there, err := s.room(ctx, c)
		if err != nil {
			return err
		}
		statements, err := m.edit(ctx, schema.ColumnEdit{Add: &c}, how.DryRun)
		if err != nil {
			return err
		}
		if how.DryRun {
			return s.dryAdd(ctx, c, statements, how)
		}
		if !m.json {
			m.said(ctx, s, c, there, len(statements) > 0)
		}
		if !how.NoBackfill {
			if err := s.backfill(ctx, c.Name); err != nil {
				return err
			}
		}
		if m.json {
			return s.printOne(ctx, c.Name)
		}
		return nil
	})
}

// said prints what was added, and how many of some events have a value there.
func (m *Manager) said(ctx context.Context, s *session, c column.Column, there, changed bool) {
	if there && !changed {
		m.printf("the column %s is there already", c.Name)
	} else {
		m.printf("added the column %s %s from %s to events", c.Name, c.Type, c.Path)
	}
	if has, of, err := s.sample(ctx, c); err == nil && of > 0 { // a help, no more
		m.printf("%d of %d events that were looked at have a value there", has, of)
	}
}

// sampleRows is how many events are looked at for values at a path.
const sampleRows = 1000

// sample counts the events of a few that have something at the path.
func (s *session) sample(ctx context.Context, c column.Column) (has, of uint64, err error) {
	query := fmt.Sprintf("SELECT countIf(%s), count() FROM (SELECT payload FROM %s.%s LIMIT %d)",
		c.Has(), s.database, s.table, sampleRows)
	err = s.ask(ctx, query, func(r *sql.Rows) error { return r.Scan(&has, &of) })
	return has, of, err
}

// room reports whether a column is there already, or why it cannot be added.
func (s *session) room(ctx context.Context, c column.Column) (there bool, err error) {
	all, err := s.present(ctx)
	if err != nil {
		return false, err
	}
	n := 0
	for _, other := range all {
		same := strings.EqualFold(other.name, c.Name)
		switch {
		case other.custom && other.name == c.Name && other.ofType == c.Type.String() && other.path == c.Path.String():
			there = true
		case same && other.custom:
			return false, fmt.Errorf("there is a column %s %s from %s already: `consumer columns remove %s` removes it",
				other.name, other.ofType, other.path, other.name)
		case same:
			return false, fmt.Errorf("%s has a column %s that this command did not make: choose another name", s.table, other.name)
		}
		if other.custom {
			n++
		}
	}
	if !there && n >= column.MaxColumns {
		return false, fmt.Errorf("there are %d custom columns, at most %d are allowed: remove one first", n, column.MaxColumns)
	}
	return there, nil
}

// dryAdd prints what Add would run.
func (s *session) dryAdd(ctx context.Context, c column.Column, statements []string, how AddOptions) error {
	s.printStatements(statements)
	parts, err := s.lacking(ctx, c.Name)
	if err != nil || how.NoBackfill || len(parts.partitions) == 0 {
		return err
	}
	s.printf("-- %d of %d parts lack the column. In batches of at most %d partitions:", parts.lack, parts.all, batchPartitions)
	for batch := range parts.batches() {
		s.printf("%s;", s.materialize(c.Name, batch))
	}
	return nil
}

func (s *session) printStatements(statements []string) {
	if len(statements) == 0 {
		s.printf("-- nothing to run")
	}
	for _, one := range statements {
		s.printf("%s;\n", one)
	}
}

// printOne prints one column as JSON.
func (s *session) printOne(ctx context.Context, name string) error {
	all, err := s.listed(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Name == name {
			return s.printJSON([]Listed{c})
		}
	}
	return fmt.Errorf("the column %s was removed by somebody else", name)
}
