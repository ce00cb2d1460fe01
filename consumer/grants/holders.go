package grants

import (
	"maps"
	"slices"
	"strings"
)

// holders are the users and roles of the server, as far as they may get around the limits of analysts.
type holders struct {
	// roles are the roles of a user ("user alice") or a role ("role bi"). The value says whether a user has the role
	// without SET ROLE.
	roles map[string]map[string]bool
	// reads are the users and roles that may read a table of the database by a right of their own.
	reads map[string]bool
	// all are those with every right. They are no analysts.
	all map[string]bool
}

// holdersQuestion asks for the holders, in lines of the inventory.
const holdersQuestion = `
UNION ALL
SELECT concat('holds\t', if(user_name IS NULL, 'role ', 'user '), ifNull(user_name, ifNull(role_name, '')), '\t',
    granted_role_name), if(granted_role_is_default = 1, 'default', ''), ''
FROM {role_grants}
UNION ALL
SELECT concat('reads\t', if(user_name IS NULL, 'role ', 'user '), ifNull(user_name, ifNull(role_name, ''))),
    if(database IS NULL, 'everything', ''), ''
FROM {grants} WHERE is_partial_revoke = 0 AND toString(access_type) IN ('SELECT', 'ALL')
    AND (database IS NULL OR database = {database})`

// add takes a line of the answer, or reports that the line is about something else.
func (h *holders) add(key, text string) bool {
	fields := strings.Split(key, "\t")
	switch {
	case fields[0] == "holds" && len(fields) == 3:
		if h.roles[fields[1]] == nil {
			h.roles[fields[1]] = map[string]bool{}
		}
		h.roles[fields[1]][fields[2]] = text == "default"
	case fields[0] == "reads" && len(fields) == 2:
		h.reads[fields[1]] = true
		if text == "everything" {
			h.all[fields[1]] = true
		}
	default:
		return false
	}
	return true
}

// reach lists a role and the roles that it has.
func (h *holders) reach(role string, into map[string]bool) {
	if !into[role] {
		into[role] = true
		for other := range h.roles["role "+role] {
			h.reach(other, into)
		}
	}
}

// people reports users who can see more than their role shows. SET ROLE switches roles off and on: without the role no
// policy of analysts holds, and a role that is not there from the start brings no limits.
func (c *comparison) people() {
	analyst := func(role string) bool { return role == c.analyst() || strings.HasPrefix(role, c.role("")) }
	for _, user := range slices.Sorted(maps.Keys(c.users.roles)) {
		name, isUser := strings.CutPrefix(user, "user ")
		if !isUser || c.users.all[user] {
			continue
		}
		own, other, late := "", "", ""
		for _, role := range slices.Sorted(maps.Keys(c.users.roles[user])) {
			reached := map[string]bool{}
			c.users.reach(role, reached)
			names := slices.Sorted(maps.Keys(reached))
			switch i := slices.IndexFunc(names, analyst); {
			case i >= 0:
				own = role
				if !c.users.roles[user][role] {
					late = role
				}
			case slices.ContainsFunc(names, func(r string) bool { return c.users.reads["role "+r] }):
				other = "the role " + role
			}
		}
		if c.users.reads[user] {
			other = "a right of its own"
		}
		if own != "" && other != "" {
			c.find(finding{stateDiffers, "user " + name, "it reads " + c.database + " by " + other +
				" as well, and SET ROLE takes " + own + " away: it sees all projects", true})
		}
		if late != "" {
			c.find(finding{stateDiffers, "user " + name, late + " is not a default role of it, so that its limits " +
				"do not hold: ALTER USER " + name + " DEFAULT ROLE ALL", true})
		}
	}
}
