package schema

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"sluice/consumer/clickhouse"
)

// inventory is what exists of the schema, on the one server or on all servers of the cluster.
type inventory struct {
	servers   int                // that were asked
	databases int                // servers that have the database
	objects   map[string][]found // by name
	detached  []string           // names of objects that exist and cannot be seen
}

// found is one definition of an object, and how many servers have the object with this definition.
type found struct {
	definition
	engine  string
	servers int
}

// system names a system table of all servers that belong to the variant.
func (v variant) system(table string) string {
	if v.Cluster == "" {
		return "system." + table
	}
	return "clusterAllReplicas(" + clickhouse.Quote(v.Cluster) + ", system." + table + ")"
}

// readInventory reads what exists of the wanted objects. It ignores everything else in the database. It asks by way of
// the default database, because the schema's own may not exist.
func readInventory(ctx context.Context, db *sql.DB, v variant, all []wanted) (inventory, error) {
	inv := inventory{servers: 1, objects: map[string][]found{}}
	var err error
	if v.Cluster != "" {
		if inv.servers, err = count(ctx, db, "SELECT toString(count()) FROM "+v.system("one")); err != nil {
			return inv, err
		}
	}
	databases := "SELECT toString(count()) FROM " + v.system("databases") + " WHERE name = " + clickhouse.Quote(v.Database)
	if inv.databases, err = count(ctx, db, databases); err != nil || inv.databases == 0 {
		return inv, err
	}
	var names []string
	for _, w := range all {
		names = append(names, clickhouse.Quote(w.name))
	}
	where := " WHERE database = " + clickhouse.Quote(v.Database)
	if inv.detached, err = clickhouse.Texts(ctx, db, "SELECT DISTINCT table FROM "+v.system("detached_tables")+where); err != nil {
		return inv, err
	}
	rows, err := db.QueryContext(ctx, "SELECT name, engine, create_table_query, as_select, count() FROM "+v.system("tables")+
		where+" AND name IN ("+strings.Join(names, ", ")+") GROUP BY ALL ORDER BY ALL")
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

// count asks a question whose answer is one number.
func count(ctx context.Context, db *sql.DB, query string) (int, error) {
	answer, err := clickhouse.Texts(ctx, db, query)
	if err != nil || len(answer) != 1 {
		return 0, err
	}
	n, _ := strconv.Atoi(answer[0])
	return n, nil
}

// add takes one object of the answer.
func (inv *inventory) add(rows *sql.Rows) error {
	var name, engine, create, query string
	var servers uint64
	if err := rows.Scan(&name, &engine, &create, &query, &servers); err != nil {
		return fmt.Errorf("read the tables: %w", err)
	}
	object := found{engine: engine, servers: int(servers)} // the servers of a cluster are few
	switch {
	case create == "":
		return fmt.Errorf("the user may not see how %s is defined: GRANT SHOW ON the database", name)
	case engine == "View" || strings.HasPrefix(create, "CREATE TABLE "):
		d, err := parseDefinition(create)
		if err != nil {
			return fmt.Errorf("read the definition of %s: %w", name, err)
		}
		object.definition = d
	}
	if engine == "View" {
		object.query = query
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

// readWanted has the server write the schema's statements in its own form, and returns what they define.
func readWanted(ctx context.Context, db *sql.DB, v variant) ([]wanted, error) {
	all, err := statements(v)
	if err != nil {
		return nil, err
	}
	var quoted []string
	for _, s := range all {
		quoted = append(quoted, clickhouse.Quote(strings.Replace(s.text, v.OnCluster(), "", 1)))
	}
	formatted, err := clickhouse.Texts(ctx, db, "SELECT formatQuerySingleLine(arrayJoin(["+strings.Join(quoted, ", ")+"]))")
	if err != nil {
		return nil, err
	}
	if len(formatted) != len(all) {
		return nil, fmt.Errorf("the server formats %d of %d statements", len(formatted), len(all))
	}
	var out []wanted
	for i, s := range all {
		d, err := parseDefinition(formatted[i])
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", s.file, err)
		}
		if d.like != "" {
			d.columns = columnsLike(out, d.like)
		}
		out = append(out, wanted{s, d})
	}
	return out, nil
}

// columnsLike are the columns of an earlier table, without their codecs, which a table made AS another one does not
// have to share.
func columnsLike(all []wanted, name string) []part {
	for _, w := range all {
		if w.name == name {
			var out []part
			for _, c := range w.columns {
				c.codec = ""
				out = append(out, c)
			}
			return out
		}
	}
	return nil
}
