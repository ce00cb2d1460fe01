package grants

import (
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// user is a user of the engine.
type user struct {
	name  string
	roles []string
	// What a broken guard leaves out or adds.
	noPolicies  bool     // of tables
	noFunctions bool     // policies of functions
	profile     string   // instead of that of its roles
	rights      []string // more of them, such as "SELECT ON *.*"
}

// enabled are the roles of a user, and theirs.
func (s *storage) enabled(u user) []string {
	var out []string
	var add func(roles []string)
	add = func(roles []string) {
		for _, role := range roles {
			if !slices.Contains(out, role) {
				out = append(out, role)
				add(s.members[role])
			}
		}
	}
	add(u.roles)
	return out
}

// filters are the conditions for a user's rows by table, as ClickHouse combines policies: permissive ones with OR,
// restrictive ones with AND.
func (s *storage) filters(u user) map[string]string {
	roles := s.enabled(u)
	either, both := map[string][]string{}, map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(s.policies)) {
		policy := s.policies[key]
		table, _, _ := strings.Cut(key, " ")
		except, all := strings.CutPrefix(policy.to, "ALL EXCEPT ")
		switch {
		case policy.to != "ALL" && !all && !slices.Contains(roles, policy.to) || all && slices.Contains(roles, except):
		case policy.kind == "RESTRICTIVE":
			both[table] = append(both[table], policy.condition)
		default:
			either[table] = append(either[table], policy.condition)
		}
	}
	out := map[string]string{}
	for table, conditions := range either {
		both[table] = append(both[table], "("+strings.Join(conditions, " OR ")+")")
	}
	for table, conditions := range both {
		function := strings.HasPrefix(table, functionDatabase+".")
		if function && !u.noFunctions || !function && !u.noPolicies {
			out[table] = strings.Join(conditions, " AND ")
		}
	}
	return out
}

// xml writes the roles and some users as the engine reads them. A user has the profile and the quota of its roles:
// users.xml knows them of users only.
func (s *storage) xml(users []user) string {
	var b strings.Builder
	tag := func(name, text string) string { return "<" + name + ">" + text + "</" + name + ">" }
	query := func(text string) string { return tag("query", escaped("GRANT "+text)) }

	b.WriteString("<profiles><default/><free/><changing><readonly>2</readonly></changing>")
	for _, name := range slices.Sorted(maps.Keys(s.profiles)) {
		var values, constraints strings.Builder
		for _, setting := range s.profiles[name].order {
			fields := strings.Split(s.profiles[name].text[setting], " ")
			if fields[0] != "" {
				values.WriteString(tag(setting, fields[0]))
			}
			bounds := map[string]string{constant: "<const/>", changeable: "<changeable_in_readonly/>"}[fields[3]]
			for i, bound := range []string{"min", "max"} {
				if fields[1+i] != "" {
					bounds += tag(bound, fields[1+i])
				}
			}
			constraints.WriteString(tag(setting, bounds))
		}
		b.WriteString(tag(name, values.String()+tag("constraints", constraints.String())))
	}
	b.WriteString("</profiles><quotas><default/>")
	for _, name := range slices.Sorted(maps.Keys(s.quotas)) {
		limits := tag("duration", fmt.Sprint(quotaSeconds))
		for _, limit := range s.quotas[name].order {
			limits += tag(limit, s.quotas[name].text[limit])
		}
		b.WriteString(tag(name, tag("interval", limits)))
	}
	b.WriteString("</quotas><roles>")
	for _, role := range slices.Sorted(maps.Keys(s.roles)) {
		grants := ""
		for _, right := range s.rights[role] {
			what, on, _ := strings.Cut(right, " ")
			grants += query(what + " ON " + on)
		}
		for _, member := range s.members[role] {
			grants += query(member)
		}
		b.WriteString(tag(role, tag("grants", grants)))
	}
	b.WriteString("</roles><users>")
	login := "<password></password><networks><ip>127.0.0.1</ip></networks>"
	b.WriteString(tag("default", login+"<profile>default</profile><quota>default</quota><access_management>1</access_management>"))
	for _, u := range users {
		b.WriteString(tag(u.name, login+s.userXML(u, tag, query)))
	}
	return "<clickhouse>" + b.String() + "</users></clickhouse>"
}

func (s *storage) userXML(u user, tag func(string, string) string, query func(string) string) string {
	profile, quota, grants := "default", "default", ""
	for _, role := range s.enabled(u) {
		for name, p := range s.profiles {
			if p.to == role {
				profile = name
			}
		}
		for name, q := range s.quotas {
			if q.to == role {
				quota = name
			}
		}
	}
	if u.profile != "" {
		profile = u.profile
	}
	for _, right := range append(slices.Clone(u.roles), u.rights...) {
		grants += query(right)
	}
	databases := map[string]string{}
	filters := s.filters(u)
	for _, on := range slices.Sorted(maps.Keys(filters)) {
		database, table, _ := strings.Cut(on, ".")
		databases[database] += tag(table, tag("filter", escaped(filters[on])))
	}
	all := ""
	for _, name := range slices.Sorted(maps.Keys(databases)) {
		all += tag(name, databases[name])
	}
	return tag("profile", profile) + tag("quota", quota) + tag("grants", grants) + tag("databases", all)
}

func escaped(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}
