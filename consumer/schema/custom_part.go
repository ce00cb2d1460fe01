package schema

import (
	"strings"

	"sluice/consumer/clickhouse"
	"sluice/consumer/columns/column"
)

// ColumnEdit is a change of the custom columns: one that comes, or one that goes.
type ColumnEdit struct {
	Add    *column.Column // nil: none
	Remove string         // its name; empty: none
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
