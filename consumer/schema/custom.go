package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sluice/consumer/clickhouse"
	"sluice/consumer/columns/column"
)

// ColumnEdit is a change of the custom columns: one that comes, or one that goes.
type ColumnEdit struct {
	Add    *column.Column // nil: none
	Remove string         // its name; empty: none
}

// ErrNoSchema is returned where the schema has to be made first.
var ErrNoSchema = errors.New("the schema is not complete: run `consumer migrate` first")

// errViewDiffers is returned where the view of events cannot get another column.
var errViewDiffers = errors.New("the view events has another query than Sluice's: " +
	"`consumer migrate --status` says so, `consumer migrate --replace-views` replaces it")

// EditColumns changes the custom columns of the tables of events and of the view events, and nothing else of the
// schema. It returns the statements in their order. With dry it runs none. It may be run again after an interruption,
// and does then what is left. A column that comes has its values in new rows; in old parts ClickHouse computes them
// when it reads.
func (m *Migrator) EditColumns(ctx context.Context, edit ColumnEdit, dry bool) (statements []string, err error) {
	m.edit = edit
	defer func() { m.edit = ColumnEdit{} }()
	err = m.connect(ctx, func(db *sql.DB, v variant) error {
		p, err := m.plan(ctx, db, v)
		if err != nil {
			return err
		}
		steps, err := p.customSteps(v)
		if err != nil {
			return err
		}
		for _, s := range steps {
			statements = append(statements, s.statement)
		}
		if dry {
			return nil
		}
		return m.run(ctx, db, steps)
	})
	return statements, err
}

// customSteps are the steps that concern custom columns. It fails where these would not be enough.
func (p *migration) customSteps(v variant) ([]change, error) {
	for _, what := range []string{"database " + v.Database, "table " + v.Table(), "table " + clickhouse.TableName, "view " + eventsView} {
		for _, f := range p.findings {
			switch {
			case f.what != what || f.state == stateThere:
			case f.state == stateMissing:
				return nil, fmt.Errorf("%w: there is no %s", ErrNoSchema, what)
			case what == "view "+eventsView:
				return nil, errViewDiffers
			default:
				return nil, fmt.Errorf("%s: %s", f.what, f.detail)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(p.steps), func(s change) bool { return !s.custom }), nil
}

// custom are the custom columns that the servers have, each once, as the edit leaves them.
func (e ColumnEdit) custom(inv *inventory, v variant) []part {
	var out []part
	for _, o := range inv.objects[v.Table()] {
		for _, c := range o.columns {
			if _, there := byName(out, c.name); !there && c.isCustom() && c.name != e.Remove {
				out = append(out, c)
			}
		}
	}
	if e.Add != nil {
		if _, there := byName(out, e.Add.Name); !there {
			out = append(out, customPart(*e.Add))
		}
	}
	return out
}

// customPart is a custom column as a part of a table.
func customPart(c column.Column) part {
	return part{
		name: c.Name, text: c.Type.String(), defaultValue: "MATERIALIZED " + c.Expression(), codec: c.Codec(),
		comment: "COMMENT " + clickhouse.Quote(c.Comment()),
	}
}

// isCustom reports whether a column of a table is a custom one.
func (p part) isCustom() bool {
	text := strings.TrimPrefix(p.comment, "COMMENT ")
	return len(text) > 2 && column.IsCustom(text[1:len(text)-1]) && strings.HasPrefix(p.defaultValue, "MATERIALIZED ")
}

// withCustom adds the custom columns to what the tables of events must have.
func withCustom(all []wanted, custom []part) {
	for i, w := range all {
		if w.view || w.name != clickhouse.TableName && w.name != clickhouse.LocalTable {
			continue
		}
		all[i].columns = slices.Clone(w.columns)
		for _, c := range custom {
			if w.like != "" {
				c.codec = "" // a table made AS another one has none
			}
			all[i].columns = append(all[i].columns, c)
		}
	}
}

// removed drops the column of the edit from a table that has it.
func (c *comparison) removed(w wanted, o found) {
	have, there := byName(o.columns, c.edit.Remove)
	if c.edit.Remove == "" || !there || !have.isCustom() {
		return
	}
	c.drops = append(c.drops, change{
		statement: c.alter(w.name) + "DROP COLUMN IF EXISTS " + quotedName(have.name),
		done:      "removed column " + have.name + " of " + w.name, custom: true,
	})
}

// eventsView is the view that has the custom columns.
const eventsView = "events"

// viewColumn is a column of the view events that comes after those of the schema.
type viewColumn struct {
	name       string
	Definition string // with type and comment
	Expression string // in the query
}

// viewColumns are the columns of a view for custom columns of its table.
func viewColumns(custom []part) []viewColumn {
	var out []viewColumn
	for _, c := range custom {
		d := part{name: c.name, text: c.text, comment: c.comment}
		out = append(out, viewColumn{name: c.name, Definition: d.Column(), Expression: quotedName(c.name)})
	}
	return out
}

// extra compares the columns of the view events that come after those of the schema with the custom columns. more are
// their expressions in the view's query. It returns the columns that the view should have, and whether it has them.
// Columns that users appended stay.
func (c *comparison) extra(w wanted, o found, more []string) (want []viewColumn, same bool) {
	same = true
	custom := viewColumns(c.Custom)
	for i, expression := range more {
		have := o.columns[len(w.columns)+i]
		at := slices.IndexFunc(custom, func(v viewColumn) bool { return v.name == have.name })
		switch {
		case have.name == c.edit.Remove:
			same = false
		case at >= 0:
			same = same && have.text == c.Custom[at].text
			want = append(want, custom[at])
		default:
			want = append(want, viewColumn{name: have.name, Definition: have.Column(), Expression: expression})
		}
	}
	for _, one := range custom {
		if !slices.ContainsFunc(want, func(v viewColumn) bool { return v.name == one.name }) {
			want, same = append(want, one), false
		}
	}
	return want, same
}

// customView replaces the view events by one with other columns at its end. It takes nothing away that is not meant, so
// it needs no permission.
func (c *comparison) customView(w wanted, columns []viewColumn) {
	v := c.variant
	v.Extra = columns
	all, err := statements(v)
	if err != nil { // they were rendered before
		c.refused = err.Error()
		return
	}
	at := slices.IndexFunc(all, func(s statement) bool { return s.file == w.file })
	c.do(change{
		statement: replacing(all[at].text), done: "replaced view " + w.name + ": its custom columns have changed",
		file: w.file, custom: true,
	})
}

// moreColumns returns the expressions that a query has after those of the wanted one. It is not ok if the queries
// differ in anything else.
func moreColumns(have, wanted string) (more []string, ok bool) {
	if have == wanted {
		return nil, true
	}
	columns, rest, _ := strings.Cut(wanted, " FROM ")
	added, begins := strings.CutPrefix(have, columns+", ")
	added, ends := strings.CutSuffix(added, " FROM "+rest)
	if !begins || !ends || strings.Contains(added, " FROM ") {
		return nil, false
	}
	for _, one := range splitTop(added, ',') {
		more = append(more, strings.TrimSpace(one))
	}
	return more, true
}
