package columns

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"sluice/consumer/columns/column"
	"sluice/consumer/schema"
)

// Listed is a custom column that is there.
type Listed struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Path string `json:"path"`
	// Parts is how many parts the table has. Stored is how many of them have the column's values on disk. In the others
	// ClickHouse computes the values from the payload whenever it reads them.
	Parts  int `json:"parts"`
	Stored int `json:"parts_stored"`
}

// List prints the custom columns in the order of their names.
func (m *Manager) List(ctx context.Context) error {
	return m.connect(ctx, func(s *session) error {
		all, err := s.listed(ctx)
		if err != nil {
			return err
		}
		if m.json {
			return m.printJSON(all)
		}
		if len(all) == 0 {
			m.printf("no custom columns")
			return nil
		}
		table := tabwriter.NewWriter(m.out, 0, 8, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, "NAME\tTYPE\tFROM\tSTORED IN")
		for _, c := range all {
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d of %d parts\n", c.Name, c.Type, c.Path, c.Stored, c.Parts)
		}
		if err := table.Flush(); err != nil {
			return fmt.Errorf("print the columns: %w", err)
		}
		return nil
	})
}

func (m *Manager) printJSON(all []Listed) error {
	encoder := json.NewEncoder(m.out)
	encoder.SetEscapeHTML(false)
	for _, c := range all {
		if err := encoder.Encode(c); err != nil {
			return fmt.Errorf("print a column: %w", err)
		}
	}
	return nil
}

func (m *Manager) printf(format string, args ...any) { _, _ = fmt.Fprintf(m.out, format+"\n", args...) }

// present is a column of the table, custom or not.
type present struct {
	name, ofType, path string
	custom             bool
}

// present lists the columns of the table, in the order of their names.
func (s *session) present(ctx context.Context) ([]present, error) {
	var out []present
	query := "SELECT DISTINCT name, type, default_kind, comment FROM " + s.system("columns") +
		" WHERE " + s.ofTable() + " ORDER BY ALL"
	err := s.ask(ctx, query, func(r *sql.Rows) error {
		var c present
		var kind, comment string
		if err := r.Scan(&c.name, &c.ofType, &kind, &comment); err != nil {
			return err
		}
		if column.IsCustom(comment) && kind == "MATERIALIZED" {
			path, err := column.PathOf(comment)
			if err != nil {
				return fmt.Errorf("the comment of the column %s: %w", c.name, err)
			}
			c.custom, c.path = true, path.String()
		}
		out = append(out, c)
		return nil
	})
	if err == nil && len(out) == 0 {
		err = fmt.Errorf("%w: there is no table %s.%s that the user may see", schema.ErrNoSchema, s.database, s.table)
	}
	return out, err
}

// listed lists the custom columns.
func (s *session) listed(ctx context.Context) ([]Listed, error) {
	all, err := s.present(ctx)
	if err != nil {
		return nil, err
	}
	parts, err := s.countParts(ctx)
	if err != nil {
		return nil, err
	}
	var out []Listed
	at := map[string]int{}
	for _, c := range all {
		if c.custom {
			at[c.name] = len(out)
			out = append(out, Listed{Name: c.name, Type: c.ofType, Path: c.path, Parts: parts})
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	query := "SELECT column, count() FROM " + s.system("parts_columns") + " WHERE active AND " +
		s.ofTable() + " AND column IN (" + strings.Join(quotedNames(out), ", ") + ") GROUP BY column"
	err = s.ask(ctx, query, func(r *sql.Rows) error {
		var name string
		var n int
		if err := r.Scan(&name, &n); err != nil {
			return err
		}
		out[at[name]].Stored = n
		return nil
	})
	return out, err
}

func quotedNames(all []Listed) []string {
	var out []string
	for _, c := range all {
		out = append(out, "'"+c.Name+"'")
	}
	return out
}

func (s *session) countParts(ctx context.Context) (n int, err error) {
	err = s.ask(ctx, "SELECT count() FROM "+s.system("parts")+" WHERE active AND "+s.ofTable(), func(r *sql.Rows) error {
		return r.Scan(&n)
	})
	return n, err
}

// find returns the custom column of a name, or says what there is in its place.
func (s *session) find(ctx context.Context, name string) (present, error) {
	all, err := s.present(ctx)
	if err != nil {
		return present{}, err
	}
	var names []string
	for _, c := range all {
		switch {
		case c.custom && c.name == name:
			return c, nil
		case c.name == name:
			return present{}, fmt.Errorf("%s is not a custom column: this command did not make it", name)
		case c.custom:
			names = append(names, c.name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		return present{}, fmt.Errorf("there is no custom column %.64q, nor any other", name)
	}
	return present{}, fmt.Errorf("there is no custom column %.64q; there are: %s", name, strings.Join(names, ", "))
}
