package schema

import (
	"fmt"
	"slices"
	"strings"
)

// The states of what the schema asks for.
const (
	stateThere   = "there"
	stateMissing = "missing" // migrate makes it
	stateDiffers = "differs" // migrate leaves it alone
	statePending = "pending" // asked for with a flag and not yet so
)

// finding says of one thing that the schema asks for how it is.
type finding struct {
	state, what, detail string
	// serious: with this difference events may be lost, doubled, refused or hidden. Other differences are an operator's
	// tuning, such as a codec.
	serious bool
}

func (f finding) String() string {
	text := fmt.Sprintf("%-8s %s", f.state, f.what)
	if f.detail != "" {
		text += ": " + f.detail
	}
	return text
}

// change is one statement, which may be run again at any time.
type change struct {
	statement string
	said      string // once it was run
	file      string // of the schema; empty: it is derived from one
	server    bool   // it is run outside of the database, which is not there yet
}

// migration is what a comparison of the schema with a server comes to.
type migration struct {
	findings []finding
	steps    []change
	refused  string // why something asked for is not among the steps, for the error
}

func (p *migration) find(f finding) {
	if !slices.Contains(p.findings, f) {
		p.findings = append(p.findings, f)
	}
}

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

// left returns the serious differences, which migrate does not mend.
func (p *migration) left() []finding {
	return slices.DeleteFunc(p.with(stateDiffers, stateMissing), func(f finding) bool { return !f.serious })
}

// comparison compares the schema with what is there.
type comparison struct {
	migration
	flavour
	inventory
	replaceViews bool
}

func (c *comparison) compare(all []wanted) {
	what := "database " + c.database
	c.presence(what, c.databases, change{statement: c.createDatabase(), said: "made " + what, server: true})
	for _, w := range all {
		c.object(w, c.objects[w.name])
	}
}

// presence reports whether an object is on all servers, and makes it if not.
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
		// CREATE … IF NOT EXISTS does nothing then, and says nothing.
		c.find(finding{stateMissing, what, "it is detached: ATTACH TABLE " + w.name + " brings it back", true})
	} else {
		c.presence(what, on, change{statement: w.text, said: "made " + what, file: w.file})
	}
	for _, o := range all {
		if w.view {
			c.view(w, o)
		} else {
			c.table(w, o)
		}
	}
}

// view compares a view's query. A view to which somebody added columns at the end is still ours.
func (c *comparison) view(w wanted, o found) {
	have := c.unqualified(o.query)
	if have == w.query || extends(have, w.query) {
		return
	}
	what := "view " + w.name
	if !c.replaceViews {
		c.find(finding{stateDiffers, what, "it has another query; `consumer migrate --replace-views` replaces it", true})
		return
	}
	c.find(finding{state: statePending, what: what, detail: "it has another query and will be replaced"})
	statement := strings.Replace(w.text, "CREATE VIEW IF NOT EXISTS ", "CREATE OR REPLACE VIEW ", 1)
	c.do(change{statement: statement, said: "replaced " + what, file: w.file})
}

// unqualified takes the database's name out of a query, which ClickHouse puts before each table.
func (f flavour) unqualified(query string) string {
	for _, keyword := range []string{"FROM ", "JOIN "} {
		for _, name := range []string{f.database, quotedName(f.database)} {
			query = strings.ReplaceAll(query, keyword+name+".", keyword)
		}
	}
	return query
}

// extends says whether a query is the wanted one with more columns behind its own.
func extends(have, wanted string) bool {
	columns, rest, _ := strings.Cut(wanted, " FROM ")
	more, ok := strings.CutPrefix(have, columns+", ")
	if !ok {
		return false
	}
	more, ok = strings.CutSuffix(more, " FROM "+rest)
	return ok && !strings.Contains(more, " FROM ")
}
