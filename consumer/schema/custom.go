package schema

import (
	"slices"
	"strings"

	"sluice/consumer/clickhouse"
)

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
