package erase

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/retention"
	"sluice/internal/erasure"
)

const (
	// queryTimeout bounds one question to ClickHouse.
	queryTimeout = 10 * time.Minute
	// maxErrorText bounds what is repeated of an error, in bytes.
	maxErrorText = 400
)

// database is ClickHouse: a server, or a cluster.
type database struct {
	db      *sql.DB
	name    string
	cluster string
}

// openDatabase prepares the questions. The first one connects.
func openDatabase(cfg clickhouse.Config) (*database, error) {
	opts, err := cfg.Options()
	if err != nil {
		return nil, err
	}
	return &database{db: clickhouse.OpenDB(opts, "default"), name: opts.Auth.Database, cluster: cfg.Cluster}, nil
}

func (d *database) close() { _ = d.db.Close() }

// tableOn is the table that holds rows: on a cluster the local one.
func (d *database) tableOn(name string) string {
	if d.cluster != "" {
		switch name {
		case clickhouse.TableName:
			return clickhouse.LocalTable
		case clickhouse.OutcomesTable:
			return clickhouse.LocalOutcomes
		}
	}
	return name
}

// everywhere names a table on all replicas of all shards.
func (d *database) everywhere(table string) string {
	if !strings.Contains(table, ".") {
		table = d.name + "." + table
	}
	if d.cluster == "" {
		return table
	}
	return "clusterAllReplicas(" + clickhouse.Quote(d.cluster) + ", " + table + ")"
}

// once names a table on one replica of each shard.
func (d *database) once(table string) string {
	if d.cluster == "" {
		return d.name + "." + table
	}
	return "cluster(" + clickhouse.Quote(d.cluster) + ", " + d.name + "." + table + ")"
}

// ask asks a question, and calls scan for each row of the answer.
func (d *database) ask(ctx context.Context, query string, scan func(*sql.Rows) error) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	rows, err := d.db.QueryContext(ctx, query)
	if err != nil {
		return d.explain(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read an answer of ClickHouse: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return d.explain(err)
	}
	return nil
}

// count asks for one number.
func (d *database) count(ctx context.Context, query string) (n int64, err error) {
	err = d.ask(ctx, query, func(r *sql.Rows) error { return r.Scan(&n) })
	return n, err
}

// run sends a statement.
func (d *database) run(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	if _, err := d.db.ExecContext(ctx, statement); err != nil {
		return d.explain(err)
	}
	return nil
}

// errNoTable says that a table is missing.
var errNoTable = errors.New("the table is missing")

// explain says what to do about an error that a wrong setting causes.
func (d *database) explain(err error) error {
	text := err.Error()
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "…"
	}
	switch clickhouse.Code(err) {
	case 60, 81:
		return fmt.Errorf("%w: %s; run `consumer migrate`, or check --clickhouse-dsn", errNoTable, text)
	case 497, 516:
		return fmt.Errorf("clickhouse: %s; the user needs SELECT, ALTER DELETE and INSERT on %s.*: check --clickhouse-dsn",
			text, d.name)
	}
	return fmt.Errorf("clickhouse: %s", text)
}

// condition covers the rows of all marks.
func condition(marks []erasure.Mark) string {
	var all []string
	for _, m := range marks {
		all = append(all, "("+m.Condition()+")")
	}
	return strings.Join(all, " OR ")
}

// countsCondition covers the counts of a project that was erased as a whole. It is empty if none of the marks is one of
// a project.
func countsCondition(marks []erasure.Mark) string {
	for _, m := range marks {
		if m.Kind == erasure.Project {
			return fmt.Sprintf("project_id = '%s' AND toUnixTimestamp(minute) <= %d", m.Project, m.At.Unix())
		}
	}
	return ""
}

// deletion is what is deleted from one table.
type deletion struct{ table, condition string }

// deletions are those of all tables, in the order in which they are made.
func (d *database) deletions(marks []erasure.Mark) []deletion {
	all := []deletion{{d.tableOn(clickhouse.TableName), condition(marks)}}
	if counts := countsCondition(marks); counts != "" {
		all = append(all, deletion{d.tableOn(clickhouse.OutcomesTable), counts})
	}
	return all
}

// salt returns the salt of the erasures that are known, or a new one: with one salt, each row costs the consumers one
// hash.
func (d *database) salt(ctx context.Context) (salt erasure.Salt, err error) {
	salt = erasure.NewSalt()
	err = d.ask(ctx, "SELECT lower(hex(salt)) FROM "+d.name+"."+clickhouse.ErasuresTable+
		" ORDER BY erased_at DESC LIMIT 1", func(r *sql.Rows) error {
		var text string
		if err := r.Scan(&text); err != nil {
			return err
		}
		return salt.Set(text)
	})
	return salt, err
}

// note writes the marks of an erasure, and waits until every server has them.
func (d *database) note(ctx context.Context, marks []erasure.Mark, forget time.Time, note string) error {
	for _, m := range marks {
		statement := fmt.Sprintf("INSERT INTO %s.%s (id, project_id, kind, salt, digest, erased_at, doubt_seconds, forget_at, note) "+
			"SELECT toUUID('%s'), '%s', '%s', unhex('%x'), unhex('%x'), fromUnixTimestamp64Milli(toInt64(%d), 'UTC'), %d, "+
			"toDateTime(%d, 'UTC'), %s SETTINGS async_insert = 0", d.name, clickhouse.ErasuresTable, m.ID, m.Project, m.Kind,
			m.Salt[:], m.Digest[:], m.At.UnixMilli(), int64(m.Doubt/time.Second), forget.Unix(), clickhouse.Quote(note))
		if err := d.run(ctx, statement); err != nil {
			return fmt.Errorf("note the erasure: %w", err)
		}
	}
	if d.cluster == "" {
		return nil
	}
	servers, err := d.count(ctx, "SELECT toInt64(count()) FROM "+d.everywhere("system.one"))
	if err != nil {
		return err
	}
	for _, m := range marks {
		question := fmt.Sprintf("SELECT toInt64(count()) FROM %s WHERE id = '%s'", d.everywhere(clickhouse.ErasuresTable), m.ID)
		if err := until(ctx, time.Minute, func() (bool, error) {
			n, err := d.count(ctx, question)
			return n >= servers, err
		}); err != nil {
			return fmt.Errorf("the erasure is noted, but not on every server of the cluster: %w", err)
		}
	}
	return nil
}

// olderInserts counts the inserts of events that have been running for a time.
func (d *database) olderInserts(ctx context.Context, age time.Duration) (int64, error) {
	return d.count(ctx, fmt.Sprintf("SELECT toInt64(count()) FROM %s WHERE query_kind = 'Insert' AND elapsed >= %.3f AND "+
		"position(query, %s) > 0", d.everywhere("system.processes"), age.Seconds(),
		clickhouse.Quote(d.tableOn(clickhouse.TableName))))
}

// retention is for how long the table of the events keeps rows; 0: for ever.
func (d *database) retention(ctx context.Context) (keeps time.Duration, err error) {
	err = d.ask(ctx, "SELECT engine_full FROM system.tables WHERE database = "+clickhouse.Quote(d.name)+
		" AND name = "+clickhouse.Quote(d.tableOn(clickhouse.TableName)), func(r *sql.Rows) error {
		var engine string
		err := r.Scan(&engine)
		policy, _ := retention.OfEngine(engine)
		keeps = policy.Longest()
		return err
	})
	return keeps, err
}

// Part is a part of a table that ClickHouse has replaced and not yet removed from the disk.
type Part struct {
	Server string `json:"server"`
	Table  string `json:"table"`
	Name   string `json:"name"`
}

// replaced lists the parts of tables that were replaced and are still on the disk.
func (d *database) replaced(ctx context.Context, tables []deletion) (parts []Part, err error) {
	var names []string
	for _, t := range tables {
		names = append(names, clickhouse.Quote(t.table))
	}
	query := "SELECT hostName(), table, name FROM " + d.everywhere("system.parts") + " WHERE NOT active AND database = " +
		clickhouse.Quote(d.name) + " AND table IN (" + strings.Join(names, ", ") + ") ORDER BY ALL"
	err = d.ask(ctx, query, func(r *sql.Rows) error {
		var p Part
		err := r.Scan(&p.Server, &p.Table, &p.Name)
		parts = append(parts, p)
		return err
	})
	return parts, err
}

// Settings of a table that say when replaced parts leave the disk.
var (
	lifetimeSetting = regexp.MustCompile(`\bold_parts_lifetime = (\d+)`)
	cleanupSetting  = regexp.MustCompile(`\bmax_cleanup_delay_period = (\d+)`)
)

// partsStay bounds how long a replaced part stays on the disk: as long as ClickHouse keeps it, and until it looks again.
func (d *database) partsStay(ctx context.Context, table string) (time.Duration, error) {
	seconds := map[string]uint64{"old_parts_lifetime": 480, "max_cleanup_delay_period": 300}
	err := d.ask(ctx, "SELECT name, value FROM system.merge_tree_settings WHERE name IN ('old_parts_lifetime', "+
		"'max_cleanup_delay_period')", func(r *sql.Rows) error {
		var name, value string
		if err := r.Scan(&name, &value); err != nil {
			return err
		}
		if n, err := strconv.ParseUint(value, 10, 32); err == nil {
			seconds[name] = n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	err = d.ask(ctx, "SELECT engine_full FROM system.tables WHERE database = "+clickhouse.Quote(d.name)+" AND name = "+
		clickhouse.Quote(table), func(r *sql.Rows) error {
		var engine string
		if err := r.Scan(&engine); err != nil {
			return err
		}
		for name, setting := range map[string]*regexp.Regexp{
			"old_parts_lifetime": lifetimeSetting, "max_cleanup_delay_period": cleanupSetting,
		} {
			if m := setting.FindStringSubmatch(engine); m != nil {
				if n, err := strconv.ParseUint(m[1], 10, 32); err == nil {
					seconds[name] = n
				}
			}
		}
		return nil
	})
	// Once more as long as ClickHouse waits between two looks, because a look may have just begun.
	return time.Duration(seconds["old_parts_lifetime"]+2*seconds["max_cleanup_delay_period"]+60) * time.Second, err
}

// strangers lists tables of the database that hold rows and that Treatments does not know: an operator made them.
func (d *database) strangers(ctx context.Context) (names []string, err error) {
	err = d.ask(ctx, "SELECT DISTINCT name FROM "+d.everywhere("system.tables")+" WHERE database = "+
		clickhouse.Quote(d.name)+" AND engine NOT IN ('View', 'Distributed') ORDER BY name", func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		if _, known := Treatments[name]; !known {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// detached counts the parts that somebody detached: no query reads them, and no mutation.
func (d *database) detached(ctx context.Context) (int64, error) {
	return d.count(ctx, "SELECT toInt64(count()) FROM "+d.everywhere("system.detached_parts")+" WHERE database = "+
		clickhouse.Quote(d.name)+" AND table = "+clickhouse.Quote(d.tableOn(clickhouse.TableName)))
}

// pollEvery is how often until asks.
const pollEvery = 250 * time.Millisecond

// errTimeout says that something did not happen in time.
var errTimeout = errors.New("it takes too long")

// until asks until the answer is true, for a time at most.
func until(ctx context.Context, most time.Duration, ask func() (bool, error)) error {
	for began := time.Now(); ; {
		done, err := ask()
		if done || err != nil {
			return err
		}
		if time.Since(began) > most {
			return fmt.Errorf("%w: after %s", errTimeout, most)
		}
		if !sleep(ctx, pollEvery) {
			return ctx.Err()
		}
	}
}
