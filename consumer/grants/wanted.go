package grants

import (
	"fmt"
	"strings"
)

// wanted is one thing as it should be.
type wanted struct {
	key  string // in the inventory
	what string // in words
	text string // how it should be, in the inventory's words
	make string // the statement that makes it; empty: the statement that makes within
	set  string // the statement that changes it; empty: make does
	// within is the key of the thing whose statement makes this one with it, if that one is missing.
	within string
	asked  bool // a setting names it: a difference is changed
	any    bool // whatever it is, it is right
	harm   bool // a difference may show rows, or refuse them
}

// all lists what should be, in the order in which it is made: whoever gets a right is limited before.
func (p place) all(c Config, sets []foundSet) []wanted {
	var out []wanted
	role := func(name string) {
		out = append(out, wanted{
			key: "role " + name, what: "role " + name, make: "CREATE ROLE IF NOT EXISTS " + name + p.onCluster(),
		})
	}
	role(p.ingest())
	role(p.analyst())
	for _, s := range sets {
		role(p.role(s.name))
	}
	out = append(out, p.profile(c)...)
	out = append(out, p.quota(c)...)
	for _, q := range p.policies(sets) {
		out = append(out, wanted{
			key: "policy " + q.database + "." + q.table + " " + q.name, what: "row policy " + q.name + " of " + q.table,
			text: q.text(), make: q.statement("CREATE ROW POLICY IF NOT EXISTS", p), set: q.statement("ALTER ROW POLICY", p),
			asked: q.asked, harm: true,
		})
	}
	out = append(out, p.rights()...)
	for _, s := range sets {
		out = append(out, wanted{
			key:  "member " + p.role(s.name) + " " + p.analyst(),
			what: "role " + p.analyst() + " of " + p.role(s.name),
			make: "GRANT" + p.onCluster() + " " + p.analyst() + " TO " + p.role(s.name),
		})
	}
	return out
}

// rights are the rights of the roles.
func (p place) rights() []wanted {
	var out []wanted
	grant := func(role, on string, rights []string) {
		for _, right := range rights {
			out = append(out, wanted{
				key:  fmt.Sprintf("right %s %s %s", role, right, on),
				what: fmt.Sprintf("right %s on %s of %s", right, on, role),
				make: "GRANT" + p.onCluster() + " " + strings.Join(rights, ", ") + " ON " + on + " TO " + role,
			})
		}
	}
	for _, o := range objects {
		for _, table := range o.tables(p.cluster != "") {
			grant(p.ingest(), p.table(table), o.ingestOn(table, p.cluster != ""))
		}
	}
	if p.cluster != "" {
		grant(p.ingest(), "system.clusters", []string{"SELECT"})
	}
	for _, o := range objects {
		for _, table := range o.tables(p.cluster != "") {
			if o.analyst {
				grant(p.analyst(), p.table(table), []string{"SELECT"})
			}
		}
	}
	return out
}

// profile is the profile of analysts, and each of its settings that the server knows.
func (p place) profile(c Config) []wanted {
	name := p.limits()
	whole := wanted{key: "profile " + name, what: "profile " + name, text: "TO " + p.analyst(), harm: true}
	whole.set = "ALTER SETTINGS PROFILE " + name + p.onCluster() + " TO " + p.analyst()
	out := []wanted{whole}
	var clauses []string
	for _, e := range c.elements() {
		setting, known := p.known(e.setting)
		if !known {
			continue
		}
		e.setting = setting
		clauses = append(clauses, e.clause())
		out = append(out, wanted{
			key: "setting " + name + " " + setting, what: "setting " + setting + " of profile " + name, text: e.text(),
			within: whole.key, set: "ALTER SETTINGS PROFILE " + name + p.onCluster() + " MODIFY SETTING " + e.clause(),
			asked: e.asked, any: e.limit && !e.asked, harm: e.kind == constant && !e.limit,
		})
	}
	out[0].make = "CREATE SETTINGS PROFILE IF NOT EXISTS " + name + p.onCluster() + " SETTINGS\n    " +
		strings.Join(clauses, ",\n    ") + "\nTO " + p.analyst()
	return out
}

// quotaSeconds is the interval that the quota counts in, in seconds.
const quotaSeconds = 3600

// quota is what each analyst may use in an hour.
func (p place) quota(c Config) []wanted {
	name, queries := p.limits(), uint64(defaultMaxQueries)
	if c.MaxQueries != nil {
		queries = *c.MaxQueries
	}
	limits := []struct {
		what  string
		most  uint64
		asked bool
	}{
		{"queries", queries, c.MaxQueries != nil},
		// Errors are how one asks about what one does not see.
		{"errors", 5000, false},
		{"execution_time", 4 * quotaSeconds, false},
	}
	whole := wanted{key: "quota " + name, what: "quota " + name, text: "user_name TO " + p.analyst()}
	whole.set = "ALTER QUOTA " + name + p.onCluster() + " KEYED BY user_name TO " + p.analyst()
	out := []wanted{whole}
	var clauses []string
	for _, l := range limits {
		clause := fmt.Sprintf("%s = %d", l.what, l.most)
		clauses = append(clauses, clause)
		out = append(out, wanted{
			key: "limit " + name + " " + l.what, what: l.what + " an hour of quota " + name, text: fmt.Sprint(l.most),
			within: whole.key, set: "ALTER QUOTA " + name + p.onCluster() + " FOR INTERVAL 1 hour MAX " + clause,
			asked: l.asked, any: !l.asked,
		})
	}
	out[0].make = "CREATE QUOTA IF NOT EXISTS " + name + p.onCluster() + " KEYED BY user_name FOR INTERVAL 1 hour MAX " +
		strings.Join(clauses, ", ") + " TO " + p.analyst()
	return out
}
