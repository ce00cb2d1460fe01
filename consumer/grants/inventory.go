package grants

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sluice/consumer/clickhouse"
)

// inventory is what exists, on the one server or on all servers of the cluster.
type inventory struct {
	servers int // that were asked
	// things has for each key how the thing is, and how many servers have it so.
	things map[string]map[string]int
	sets   map[string]string // the conditions of the sets that exist, by name
	users  holders
}

func newInventory(servers int) inventory {
	return inventory{
		servers: servers, things: map[string]map[string]int{}, sets: map[string]string{},
		users: holders{roles: map[string]map[string]bool{}, reads: map[string]bool{}, all: map[string]bool{}},
	}
}

// foundSet is a role of analysts that exists or that --analysts names.
type foundSet struct {
	set
	condition string // of the role that exists and is not named
	asked     bool   // --analysts names it
}

// on returns how many servers have a thing, however it is.
func (inv inventory) on(key string) (n int) {
	for _, servers := range inv.things[key] {
		n += servers
	}
	return n
}

// allSets are the sets that are named, and those that exist besides.
func (inv inventory) allSets(named []set) []foundSet {
	var out []foundSet
	for _, s := range named {
		out = append(out, foundSet{set: s, asked: true})
	}
	for _, name := range slices.Sorted(maps.Keys(inv.sets)) {
		if !slices.ContainsFunc(named, func(s set) bool { return s.name == name }) {
			out = append(out, foundSet{set: set{name: name}, condition: inv.sets[name]})
		}
	}
	return out
}

// question asks for everything at once: keys and how the things are. Whoever may not see one of the system tables is
// told so by ClickHouse.
func (p place) question() string {
	ours := fmt.Sprintf("(role_name IN (%s) OR startsWith(role_name, %s))", quoteAll([]string{p.ingest(), p.analyst()}),
		clickhouse.Quote(p.role("")))
	limits, analyst := clickhouse.Quote(p.limits()), clickhouse.Quote(p.analyst())
	// Whom a profile or a quota is for, besides analysts, is nobody's business here.
	to := "if(has(apply_to_list, " + analyst + "), " + analyst + ", arrayStringConcat(arraySort(apply_to_list), ', '))"
	var names []string
	for _, o := range objects {
		names = append(names, o.name)
	}
	return strings.NewReplacer(
		"{roles}", p.system("roles"), "{grants}", p.system("grants"), "{role_grants}", p.system("role_grants"),
		"{profiles}", p.system("settings_profiles"), "{elements}", p.system("settings_profile_elements"),
		"{quotas}", p.system("quotas"), "{limits}", p.system("quota_limits"), "{policies}", p.system("row_policies"),
		"{tables}", p.system("tables"), "{ours}", ours, "{name}", limits, "{to}", to,
		"{databases}", quoteAll([]string{p.database, functionDatabase}), "{database}", clickhouse.Quote(p.database),
		"{names}", quoteAll(names),
	).Replace(`SELECT key, text, condition, toString(count()) FROM (
SELECT concat('role ', name) AS key, '' AS text, '' AS condition FROM {roles}
UNION ALL
SELECT concat('right ', assumeNotNull(role_name), ' ', toString(access_type), ' ', ifNull(database, '*'), '.',
    ifNull(table, '*'), if(column IS NULL, '', concat('(', assumeNotNull(column), ')'))),
    if(is_partial_revoke = 1, 'revoked', ''), ''
FROM {grants} WHERE {ours}
UNION ALL
SELECT concat('member ', assumeNotNull(role_name), ' ', granted_role_name), '', '' FROM {role_grants} WHERE {ours}
UNION ALL
SELECT concat('profile ', name), concat('TO ', {to}), '' FROM {profiles} WHERE name = {name}
UNION ALL
SELECT concat('setting ', assumeNotNull(profile_name), ' ', assumeNotNull(setting_name)),
    concat(ifNull(value, ''), ' ', ifNull(min, ''), ' ', ifNull(max, ''), ' ', ifNull(toString(writability), '')), ''
FROM {elements} WHERE profile_name = {name} AND setting_name IS NOT NULL
UNION ALL
SELECT concat('quota ', name), concat(arrayStringConcat(keys, ', '), ' TO ', {to}), '' FROM {quotas} WHERE name = {name}
UNION ALL
SELECT concat('limit ', quota_name, ' ', tupleElement(one, 1)), assumeNotNull(tupleElement(one, 2)), '' FROM (
    SELECT quota_name, arrayJoin([('queries', toString(max_queries)), ('errors', toString(max_errors)),
        ('execution_time', toString(max_execution_time))]) AS one
    FROM {limits} WHERE quota_name = {name} AND duration = 3600)
WHERE tupleElement(one, 2) IS NOT NULL
UNION ALL
SELECT concat('policy ', database, '.', table, ' ', short_name),
    concat(if(is_restrictive = 1, 'RESTRICTIVE', 'PERMISSIVE'), '\n',
    multiIf(apply_to_all = 0, arrayStringConcat(arraySort(apply_to_list), ', '), empty(apply_to_except), 'ALL',
        concat('ALL EXCEPT ', arrayStringConcat(arraySort(apply_to_except), ', ')))), select_filter
FROM {policies} WHERE database IN ({databases})
UNION ALL
SELECT concat('view ', name), multiIf(position(create_table_query, 'SQL SECURITY DEFINER') > 0, 'DEFINER',
    position(create_table_query, 'SQL SECURITY NONE') > 0, 'NONE', 'INVOKER'), ''
FROM {tables} WHERE database = {database} AND engine = 'View' AND name IN ({names})` + holdersQuestion + `
) GROUP BY key, text, condition ORDER BY ALL`)
}

// readInventory reads what exists.
func (p place) readInventory(ctx context.Context, db *sql.DB) (inventory, error) {
	inv := newInventory(1)
	if p.cluster != "" {
		answer, err := clickhouse.Texts(ctx, db, "SELECT toString(count()) FROM "+p.system("one"))
		if err != nil {
			return inv, err
		}
		if len(answer) == 1 {
			inv.servers, _ = strconv.Atoi(answer[0])
		}
	}
	rows, err := db.QueryContext(ctx, p.question())
	if err != nil {
		return inv, fmt.Errorf("read the access: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err says it
	for rows.Next() {
		var key, text, condition, servers string
		if err := rows.Scan(&key, &text, &condition, &servers); err != nil {
			return inv, fmt.Errorf("read the access: %w", err)
		}
		n, _ := strconv.Atoi(servers)
		inv.add(p, key, text, condition, n)
	}
	if err := rows.Err(); err != nil {
		return inv, fmt.Errorf("read the access: %w", err)
	}
	return inv, nil
}

// add takes a line of the answer.
func (inv *inventory) add(p place, key, text, condition string, servers int) {
	if inv.users.add(key, text) {
		return
	}
	if on, ok := strings.CutPrefix(key, "policy "); ok {
		kind, to, _ := strings.Cut(text, "\n")
		text = policyText(kind, condition, to)
		table, name, _ := strings.Cut(on, " ")
		if set, ok := strings.CutPrefix(name, p.role("")); ok && strings.HasPrefix(table, p.database+".") {
			inv.sets[set] = condition
		}
	}
	if inv.things[key] == nil {
		inv.things[key] = map[string]int{}
	}
	inv.things[key][text] += servers
}

// readSettings returns the server's names of the settings of the profile that the server knows. Some are aliases.
func (p place) readSettings(ctx context.Context, db *sql.DB, c Config) (map[string]string, error) {
	var names []string
	for _, e := range c.elements() {
		names = append(names, e.setting)
	}
	answer, err := clickhouse.Texts(ctx, db, "SELECT concat(name, ' ', if(alias_for = '', name, alias_for)) "+
		"FROM system.settings WHERE name IN ("+quoteAll(names)+")")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, line := range answer {
		name, canonical, _ := strings.Cut(line, " ")
		out[name] = canonical
	}
	return out, nil
}
