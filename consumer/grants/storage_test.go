package grants

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// storage stands for the part of a ClickHouse that keeps roles, profiles, quotas and policies: the embedded engine reads
// users.xml and has no storage that SQL can write. It understands the statements of this package and no others, as
// ClickHouse documents them. The engine parses the same statements (TestStatementsParse), and enforces what they made
// (users).
type storage struct {
	t        testing.TB
	roles    map[string]bool
	rights   map[string][]string // of a role, such as "SELECT sluice.events"
	members  map[string][]string // the roles of a role
	profiles map[string]*namedElements
	quotas   map[string]*namedElements
	policies map[string]policyEntry // by "database.table name"
	users    []string               // lines of the inventory about users, as key=text
}

type namedElements struct {
	to    string
	order []string
	text  map[string]string // of each setting or limit, as the inventory has it
}

func (n *namedElements) put(name, text string) {
	if _, there := n.text[name]; !there {
		n.order = append(n.order, name)
	}
	n.text[name] = text
}

type policyEntry struct{ kind, condition, to string }

func newStorage(t testing.TB) *storage {
	return &storage{
		t: t, roles: map[string]bool{}, rights: map[string][]string{}, members: map[string][]string{},
		profiles: map[string]*namedElements{}, quotas: map[string]*namedElements{}, policies: map[string]policyEntry{},
	}
}

var (
	createRole   = regexp.MustCompile(`^CREATE ROLE IF NOT EXISTS (\w+)$`)
	grantRight   = regexp.MustCompile(`^GRANT ([A-Z, ]+) ON ([\w.]+) TO (\w+)$`)
	grantRole    = regexp.MustCompile(`^GRANT (\w+) TO (\w+)$`)
	rowPolicy    = regexp.MustCompile(`^(CREATE ROW POLICY IF NOT EXISTS|ALTER ROW POLICY) (\w+) ON ([\w.]+) USING (.+) AS (PERMISSIVE|RESTRICTIVE) TO (.+)$`)
	makeProfile  = regexp.MustCompile(`^CREATE SETTINGS PROFILE IF NOT EXISTS (\w+) SETTINGS (.+) TO (\w+)$`)
	alterProfile = regexp.MustCompile(`^ALTER SETTINGS PROFILE (\w+) (?:MODIFY SETTING (.+)|TO (\w+))$`)
	clauseForm   = regexp.MustCompile(`^(\w+)(?: = (?:'(\w+)'|(\d+)))?(?: MIN (\d+))?(?: MAX (\d+))? (CONST|CHANGEABLE_IN_READONLY)$`)
	makeQuota    = regexp.MustCompile(`^CREATE QUOTA IF NOT EXISTS (\w+) KEYED BY user_name FOR INTERVAL 1 hour MAX (.+) TO (\w+)$`)
	alterQuota   = regexp.MustCompile(`^ALTER QUOTA (\w+) (?:FOR INTERVAL 1 hour MAX (.+)|KEYED BY user_name TO (\w+))$`)
	limitForm    = regexp.MustCompile(`^(\w+) = (\d+)$`)
	clusterForm  = regexp.MustCompile(` ON CLUSTER '\w+'`)
)

// run carries out a statement.
func (s *storage) run(statement string) {
	s.t.Helper()
	text := clusterForm.ReplaceAllString(strings.Join(strings.Fields(strings.TrimSuffix(statement, ";")), " "), "")
	exists := func(role string) { s.t.Helper(); require.True(s.t, s.roles[role], "unknown role in %s", statement) }
	switch {
	case createRole.MatchString(text):
		s.roles[createRole.FindStringSubmatch(text)[1]] = true
	case grantRight.MatchString(text):
		m := grantRight.FindStringSubmatch(text)
		exists(m[3])
		for right := range strings.SplitSeq(m[1], ", ") {
			if one := right + " " + m[2]; !slices.Contains(s.rights[m[3]], one) {
				s.rights[m[3]] = append(s.rights[m[3]], one)
			}
		}
	case grantRole.MatchString(text):
		m := grantRole.FindStringSubmatch(text)
		exists(m[1])
		exists(m[2])
		if !slices.Contains(s.members[m[2]], m[1]) {
			s.members[m[2]] = append(s.members[m[2]], m[1])
		}
	case rowPolicy.MatchString(text):
		m := rowPolicy.FindStringSubmatch(text)
		key := m[3] + " " + m[2]
		if role := strings.TrimPrefix(m[6], "ALL EXCEPT "); role != "ALL" {
			exists(role)
		}
		if _, there := s.policies[key]; !there || m[1] == "ALTER ROW POLICY" {
			s.policies[key] = policyEntry{m[5], m[4], m[6]}
		}
	case makeProfile.MatchString(text):
		m := makeProfile.FindStringSubmatch(text)
		exists(m[3])
		if s.profiles[m[1]] == nil {
			s.profiles[m[1]] = &namedElements{to: m[3], text: map[string]string{}}
			for clause := range strings.SplitSeq(m[2], ", ") {
				s.element(m[1], clause)
			}
		}
	case alterProfile.MatchString(text):
		m := alterProfile.FindStringSubmatch(text)
		if m[3] != "" {
			s.profiles[m[1]].to = m[3]
		} else {
			s.element(m[1], m[2])
		}
	case makeQuota.MatchString(text):
		m := makeQuota.FindStringSubmatch(text)
		exists(m[3])
		if s.quotas[m[1]] == nil {
			s.quotas[m[1]] = &namedElements{to: m[3], text: map[string]string{}}
			s.limits(m[1], m[2])
		}
	case alterQuota.MatchString(text):
		m := alterQuota.FindStringSubmatch(text)
		if m[3] != "" {
			s.quotas[m[1]].to = m[3]
		} else {
			s.limits(m[1], m[2])
		}
	default:
		require.Fail(s.t, "not a statement of this package", text)
	}
}

// element sets a setting of a profile, from its clause.
func (s *storage) element(profile, clause string) {
	s.t.Helper()
	m := clauseForm.FindStringSubmatch(clause)
	require.NotNil(s.t, m, clause)
	s.profiles[profile].put(m[1], strings.Join([]string{m[2] + m[3], m[4], m[5], m[6]}, " "))
}

// limits sets limits of a quota, from their clauses.
func (s *storage) limits(quota, clauses string) {
	s.t.Helper()
	for clause := range strings.SplitSeq(clauses, ", ") {
		m := limitForm.FindStringSubmatch(clause)
		require.NotNil(s.t, m, clause)
		s.quotas[quota].put(m[1], m[2])
	}
}

// inventory is what the storage has, as if a number of servers had it.
func (s *storage) inventory(p place, servers int) inventory {
	inv := newInventory(servers)
	add := func(key, text string) { inv.add(p, key, text, "", servers) }
	for role := range s.roles {
		add("role "+role, "")
	}
	for role, rights := range s.rights {
		for _, right := range rights {
			add("right "+role+" "+right, "")
		}
	}
	for role, members := range s.members {
		for _, member := range members {
			add("member "+role+" "+member, "")
			add("holds\trole "+role+"\t"+member, "")
		}
	}
	for _, line := range s.users {
		key, text, _ := strings.Cut(line, "=")
		add(key, text)
	}
	for name, profile := range s.profiles {
		add("profile "+name, "TO "+profile.to)
		for setting, text := range profile.text {
			add("setting "+name+" "+setting, text)
		}
	}
	for name, quota := range s.quotas {
		add("quota "+name, "user_name TO "+quota.to)
		for limit, text := range quota.text {
			add("limit "+name+" "+limit, text)
		}
	}
	for key, policy := range s.policies {
		inv.add(p, "policy "+key, policy.kind+"\n"+policy.to, policy.condition, servers)
	}
	return inv
}
