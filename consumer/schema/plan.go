package schema

import (
	"fmt"
	"slices"
	"strings"
)

// The states of an object, a column, an index, a setting, or the retention.
const (
	stateThere   = "there"
	stateMissing = "missing" // migrate makes it
	stateDiffers = "differs" // migrate leaves it alone
	statePending = "pending" // a flag asks for a change that was not made yet
)

// finding is the state of one thing that the schema asks for.
type finding struct {
	state, what, detail string
	// serious differences may lose, double, refuse or hide events. Other differences, such as a codec, are an
	// operator's tuning.
	serious bool
}

func (f finding) String() string {
	text := fmt.Sprintf("%-8s %s", f.state, f.what)
	if f.detail != "" {
		text += ": " + f.detail
	}
	return text
}

// change is one statement. It may be run again at any time.
type change struct {
	statement string
	done      string // what is printed after the statement was run
	file      string // of the schema, unless the statement is derived from one
	server    bool   // it is run outside of the database, which does not exist yet
	custom    bool   // it concerns custom columns alone
}

// migration is the result of a comparison.
type migration struct {
	findings []finding
	steps    []change
	refused  string // why something that was asked for is not among the steps
}

// find notes a finding, once.
func (p *migration) find(f finding) {
	if !slices.Contains(p.findings, f) {
		p.findings = append(p.findings, f)
	}
}

// do plans a step, once.
func (p *migration) do(s change) {
	if !slices.ContainsFunc(p.steps, func(other change) bool { return other.statement == s.statement }) {
		p.steps = append(p.steps, s)
	}
}

// with returns the findings in one of the states.
func (p *migration) with(states ...string) []finding {
	var out []finding
	for _, f := range p.findings {
		if slices.Contains(states, f.state) {
			out = append(out, f)
		}
	}
	return out
}

// left returns the serious differences that remain after the migration.
func (p *migration) left() []finding {
	return slices.DeleteFunc(p.with(stateDiffers, stateMissing), func(f finding) bool { return !f.serious })
}

// comparison compares the schema with an inventory.
type comparison struct {
	migration
	variant
	inventory
	replaceViews bool
	edit         ColumnEdit
	drops        []change // of columns, the last table first
}

// compare compares all objects of the schema.
func (c *comparison) compare(all []wanted) {
	what := "database " + c.Database
	c.presence(what, c.databases, change{statement: c.createDatabase(), done: "made " + what, server: true})
	for _, w := range all {
		c.object(w, c.objects[w.name])
	}
	for _, s := range slices.Backward(c.drops) { // a view, a Distributed table, its local table
		c.do(s)
	}
}

// presence reports on how many servers an object exists, and makes it where it is missing.
func (c *comparison) presence(what string, on int, s change) {
	if on >= c.servers {
		c.find(finding{state: stateThere, what: what})
		return
	}
	detail := ""
	if c.servers > 1 {
		detail = fmt.Sprintf("on %d of %d servers", c.servers-on, c.servers)
	}
	c.find(finding{state: stateMissing, what: what, detail: detail})
	c.do(s)
}

// object compares one object with its definitions on the servers.
func (c *comparison) object(w wanted, all []found) {
	kind := "table"
	if w.view {
		kind = "view"
	}
	what, on := kind+" "+w.name, 0
	for _, o := range all {
		on += o.servers
		if w.view != (o.engine == "View") {
			detail := "this name belongs to something else, of the engine " + o.engine + ": rename or drop that"
			c.find(finding{stateDiffers, what, detail, true})
			return
		}
	}
	if on < c.servers && slices.Contains(c.detached, w.name) {
		// CREATE … IF NOT EXISTS would do nothing, without an error.
		c.find(finding{stateMissing, what, "it is detached: ATTACH TABLE " + w.name + " brings it back", true})
	} else {
		c.presence(what, on, change{statement: w.text, done: "made " + what, file: w.file})
	}
	for _, o := range all {
		if w.view {
			c.view(w, o)
		} else {
			c.table(w, o)
		}
	}
}

// view compares the query of a view. Additional columns at the end are no difference. The view of events has the custom
// columns there.
func (c *comparison) view(w wanted, o found) {
	what := "view " + w.name
	more, ok := moreColumns(c.unqualified(o.query), w.query)
	switch {
	case ok && len(o.columns) != len(w.columns)+len(more): // it is not Sluice's
	case ok && w.name == eventsView:
		columns, same := c.extra(w, o, more)
		if !same {
			c.find(finding{state: stateMissing, what: "custom columns of " + what})
			c.customView(w, columns)
		} else if len(columns) == len(c.Custom) {
			c.comments(w, o)
		}
		return
	case ok && len(more) == 0:
		c.comments(w, o)
		return
	case ok:
		return
	}
	if !c.replaceViews {
		c.find(finding{stateDiffers, what, "it has another query; `consumer migrate --replace-views` replaces it", true})
		return
	}
	c.find(finding{state: statePending, what: what, detail: "it has another query and will be replaced"})
	c.do(change{statement: replacing(w.text), done: "replaced " + what, file: w.file})
}

// replacing is the statement that makes a view in place of the one that is there.
func replacing(create string) string {
	return strings.Replace(create, "CREATE VIEW IF NOT EXISTS ", "CREATE OR REPLACE VIEW ", 1)
}

// unqualified removes the database's name from a query. ClickHouse puts the name before each table.
func (v variant) unqualified(query string) string {
	for _, keyword := range []string{"FROM ", "JOIN "} {
		for _, name := range []string{v.Database, quotedName(v.Database)} {
			query = strings.ReplaceAll(query, keyword+name+".", keyword)
		}
	}
	return query
}
