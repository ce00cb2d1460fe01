package schema

import "strings"

// comments writes the comments of the schema on the object and on those of its columns that have none. A comment that
// is there stays, whoever wrote it. One statement does it for an object.
func (c *comparison) comments(w wanted, o found) {
	var writes []string
	for _, column := range w.columns {
		if have, ok := byName(o.columns, column.name); ok && have.comment == "" && column.comment != "" {
			text := strings.TrimPrefix(column.comment, "COMMENT ")
			writes = append(writes, "COMMENT COLUMN IF EXISTS "+quotedName(column.name)+" "+text)
		}
	}
	if text := w.clauses["COMMENT"]; text != "" && o.clauses["COMMENT"] == "" {
		writes = append(writes, "MODIFY COMMENT "+text)
	}
	if len(writes) == 0 {
		return
	}
	what := "comments of " + w.name
	c.find(finding{state: stateMissing, what: what})
	c.do(change{statement: c.alter(w.name) + strings.Join(writes, ", "), done: "wrote " + what})
}
