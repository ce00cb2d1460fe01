package schema

import (
	"context"
	"database/sql"
	"fmt"
	"sluice/consumer/clickhouse"
	"strconv"
	"strings"
)

// inventory is what is there of the schema, on all servers of a cluster or on the one.
type inventory struct {
	servers   int                // that were asked
	databases int                // of them have the database
	objects   map[string][]found // by name
	detached  []string           // names of objects that are there and cannot be seen
}

// found is one definition of an object, and how many servers have the object so.
type found struct {
	definition
	engine  string
	servers int
}

// system is a system table of all servers that belong to the flavour.
func (f flavour) system(table string) string {
	if f.cluster == "" {
		return "system." + table
	}
	return "clusterAllReplicas(" + clickhouse.Quote(f.cluster) + ", system." + table + ")"
}

// take reads what is there. It asks by way of the default database, because the schema's own may not be there.
func take(ctx context.Context, db *sql.DB, f flavour, all []wanted) (inventory, error) {
	inv := inventory{servers: 1, objects: map[string][]found{}}
	var counts []string
	if f.cluster != "" {
		if err := texts(ctx, db, "SELECT toString(count()) FROM "+f.system("one"), &counts); err != nil {
			return inv, err
		}
		inv.servers = number(counts)
	}
	counts = nil
	query := "SELECT toString(count()) FROM " + f.system("databases") + " WHERE name = " + clickhouse.Quote(f.database)
	if err := texts(ctx, db, query, &counts); err != nil {
		return inv, err
	}
	if inv.databases = number(counts); inv.databases == 0 {
		return inv, nil
	}
	var names []string // what else is in the database is nobody's business
	for _, w := range all {
		names = append(names, clickhouse.Quote(w.name))
	}
	where := " WHERE database = " + clickhouse.Quote(f.database)
	if err := texts(ctx, db, "SELECT DISTINCT table FROM "+f.system("detached_tables")+where, &inv.detached); err != nil {
		return inv, err
	}
	query = "SELECT name, engine, create_table_query, as_select, count() FROM " + f.system("tables") +
		where + " AND name IN (" + strings.Join(names, ", ") + ") GROUP BY ALL ORDER BY ALL"
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return inv, fmt.Errorf("read the tables: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err says it
	for rows.Next() {
		if err := inv.add(rows); err != nil {
			return inv, err
		}
	}
	if err := rows.Err(); err != nil {
		return inv, fmt.Errorf("read the tables: %w", err)
	}
	return inv, nil
}

// number is the one number of an answer.
func number(answer []string) int {
	if len(answer) != 1 {
		return 0
	}
	n, _ := strconv.Atoi(answer[0])
	return n
}

func (inv *inventory) add(rows *sql.Rows) error {
	var name, engine, create, query string
	var servers uint64
	if err := rows.Scan(&name, &engine, &create, &query, &servers); err != nil {
		return fmt.Errorf("read the tables: %w", err)
	}
	object := found{engine: engine, servers: int(servers)} //nolint:gosec // the servers of a cluster are few
	switch {
	case create == "":
		return fmt.Errorf("the user may not see how %s is defined: GRANT SHOW ON the database", name)
	case engine == "View":
		object.definition = definition{name: name, view: true, query: query}
	case strings.HasPrefix(create, "CREATE TABLE "):
		d, err := parseDefinition(create)
		if err != nil {
			return fmt.Errorf("read the definition of %s: %w", name, err)
		}
		object.definition = d
	}
	object.name = name
	inv.objects[name] = append(inv.objects[name], object)
	return nil
}

// wanted is one object of the schema as it should be.
type wanted struct {
	statement
	definition
}

// want has the server write the schema's statements in its own form, and returns what they define.
func want(ctx context.Context, db *sql.DB, f flavour) ([]wanted, error) {
	all, err := statements(f)
	if err != nil {
		return nil, err
	}
	var quotedTexts, answer []string
	for _, s := range all {
		quotedTexts = append(quotedTexts, clickhouse.Quote(strings.Replace(s.text, f.onCluster(), "", 1)))
	}
	query := "SELECT formatQuerySingleLine(arrayJoin([" + strings.Join(quotedTexts, ", ") + "]))"
	if err := texts(ctx, db, query, &answer); err != nil {
		return nil, err
	}
	if len(answer) != len(all) {
		return nil, fmt.Errorf("the server formats %d of %d statements", len(answer), len(all))
	}
	var out []wanted
	for i, s := range all {
		d, err := parseDefinition(answer[i])
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", s.file, err)
		}
		if d.like != "" {
			d.columns = columnsOf(out, d.like)
		}
		out = append(out, wanted{s, d})
	}
	return out, nil
}

// columnsOf are the columns of an earlier table. How they are packed is that table's own.
func columnsOf(all []wanted, name string) []part {
	for _, w := range all {
		if w.name == name {
			var out []part
			for _, c := range w.columns {
				c.code = ""
				out = append(out, c)
			}
			return out
		}
	}
	return nil
}
