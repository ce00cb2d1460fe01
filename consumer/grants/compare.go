package grants

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The states of a thing.
const (
	stateThere   = "there"
	stateMissing = "missing" // migrate makes it
	stateDiffers = "differs" // migrate leaves it alone
	statePending = "pending" // a setting asks for a change
)

// finding is the state of one thing.
type finding struct {
	state, what, detail string
	harm                bool // it may show rows to somebody, or hide them from somebody
}

func (f finding) String() string {
	text := fmt.Sprintf("%-8s %s", f.state, f.what)
	if f.detail != "" {
		text += ": " + f.detail
	}
	return text
}

// step is one statement. It may be run again at any time.
type step struct{ statement, done string }

// comparison is what a server has, compared with what it should have.
type comparison struct {
	place
	inventory
	replace  bool // change back what differs
	findings []finding
	steps    []step
}

func (c *comparison) find(f finding) { c.findings = append(c.findings, f) }

// do plans a step, once.
func (c *comparison) do(statement, done string) {
	if !slices.ContainsFunc(c.steps, func(s step) bool { return s.statement == statement }) {
		c.steps = append(c.steps, step{statement, done})
	}
}

// with returns the findings in one of the states.
func (c *comparison) with(states ...string) []finding {
	var out []finding
	for _, f := range c.findings {
		if slices.Contains(states, f.state) {
			out = append(out, f)
		}
	}
	return out
}

// compare compares everything, and looks at what there is besides.
func (c *comparison) compare(all []wanted) {
	for _, w := range all {
		c.one(w)
	}
	c.views()
	c.besides(all)
	c.people()
}

func (c *comparison) one(w wanted) {
	if w.within != "" && c.on(w.within) < c.servers {
		return // it is made with that
	}
	statement := w.make
	if statement == "" {
		statement = w.set
	}
	if on := c.on(w.key); on < c.servers {
		detail := ""
		if c.servers > 1 {
			detail = fmt.Sprintf("on %d of %d servers", c.servers-on, c.servers)
		}
		c.find(finding{state: stateMissing, what: w.what, detail: detail, harm: w.harm})
		c.do(statement, "made "+w.what)
	}
	if w.set != "" {
		statement = w.set
	}
	for _, text := range slices.Sorted(maps.Keys(c.things[w.key])) {
		switch {
		case w.any || text == w.text:
			c.find(finding{state: stateThere, what: w.what})
		case w.asked || c.replace:
			c.find(finding{state: statePending, what: w.what, detail: difference(text, w.text)})
			c.do(statement, "changed "+w.what)
		default:
			detail := difference(text, w.text) + "; --replace-grants changes it back"
			c.find(finding{stateDiffers, w.what, detail, w.harm})
		}
	}
}

func difference(have, want string) string { return "it is " + shown(have) + ", not " + shown(want) }

func shown(text string) string {
	if text = strings.Join(strings.Fields(text), " "); text == "" {
		return "there"
	}
	return text
}

// views looks at the views, which must read with the rights of whoever asks. The schema makes them.
func (c *comparison) views() {
	for _, o := range objects {
		for _, security := range slices.Sorted(maps.Keys(c.things["view "+o.name])) {
			what := "SQL SECURITY of view " + o.name
			switch {
			case security == "INVOKER":
				c.find(finding{state: stateThere, what: what})
			case c.replace:
				c.find(finding{state: statePending, what: what, detail: "it is " + security + ", not INVOKER"})
				c.do("ALTER TABLE "+c.table(o.name)+c.onCluster()+" MODIFY SQL SECURITY INVOKER", "changed "+what)
			default:
				c.find(finding{stateDiffers, what, "it is " + security + ": row policies do not hold in it; " +
					"--replace-grants makes it INVOKER", true})
			}
		}
	}
}

// besides reports what the roles may do besides, and policies that are not Sluice's on its tables.
func (c *comparison) besides(all []wanted) {
	known := map[string]bool{}
	for _, w := range all {
		known[w.key] = true
	}
	for _, key := range slices.Sorted(maps.Keys(c.things)) {
		kind, rest, _ := strings.Cut(key, " ")
		if known[key] {
			continue
		}
		switch kind {
		case "right":
			role, right, _ := strings.Cut(rest, " ")
			if role != c.ingest() && role != c.analyst() && !strings.HasPrefix(role, c.role("")) {
				continue // of another prefix
			}
			f := finding{state: stateDiffers, what: "role " + role, detail: "it has another right: " + right}
			f.harm = role != c.ingest() && !harmless(right, c.database)
			c.find(f)
		case "policy":
			on, name, _ := strings.Cut(rest, " ")
			if !c.ours(on) {
				continue
			}
			f := finding{state: stateDiffers, what: "row policy " + name + " of " + on, detail: "it is not Sluice's"}
			f.harm = slices.ContainsFunc(slices.Collect(maps.Keys(c.things[key])), c.shows)
			c.find(f)
		}
	}
}

// harmless reports whether a right of analysts reads one table of another database.
func harmless(right, database string) bool {
	on, ok := strings.CutPrefix(right, "SELECT ")
	of, table, _ := strings.Cut(on, ".")
	return ok && of != database && of != "system" && of != "*" && table != "*"
}

// ours reports whether database.table is a table of Sluice's with policies. What somebody adds to a function cannot
// open it: Sluice's policy there is restrictive.
func (c *comparison) ours(table string) bool {
	return slices.ContainsFunc(c.policies(nil), func(q policy) bool {
		return q.database == c.database && table == q.database+"."+q.table
	})
}

// shows reports whether a policy that is not Sluice's may show rows to analysts.
func (c *comparison) shows(policy string) bool {
	_, to, _ := strings.Cut(policy, " TO ")
	if strings.HasPrefix(policy, "RESTRICTIVE") {
		return false
	}
	if except, ok := strings.CutPrefix(to, "ALL EXCEPT "); ok {
		return !slices.Contains(strings.Split(except, ", "), c.analyst())
	}
	return to == "ALL" || slices.ContainsFunc(strings.Split(to, ", "), func(role string) bool {
		return role == c.analyst() || strings.HasPrefix(role, c.role(""))
	})
}
