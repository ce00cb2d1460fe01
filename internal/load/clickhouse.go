package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// clickHouse reads the rows of a run from the view sluice.events. Analysts query this view and not the table behind it,
// and the view promises one row per event.
type clickHouse struct {
	conn     driver.Conn
	database string
	addrs    []string
}

// defaultDatabase is the database if the DSN names none.
const defaultDatabase = "sluice"

// countTimeout bounds one count. If a server hangs, the verifier asks again.
const countTimeout = 30 * time.Second

// openClickHouse prepares a store. The first count connects.
func openClickHouse(dsn string) (store, error) {
	opts, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("--clickhouse: not a ClickHouse DSN such as clickhouse://user:password@host:9000/sluice")
	}
	database := opts.Auth.Database
	set(&database, defaultDatabase)
	// The queries name the database, the connection does not. A server refuses a connection to a missing database
	// before any query, and the engine of sluice dev crashes at that.
	opts.Auth.Database = ""
	if opts.DialTimeout == 0 {
		opts.DialTimeout = connectTimeout
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("--clickhouse: %w", err)
	}
	return &clickHouse{conn: conn, database: database, addrs: opts.Addr}, nil
}

func (c *clickHouse) count(ctx context.Context, run string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	var n uint64
	err := c.conn.QueryRow(c.with(ctx, run), "SELECT count()"+from).Scan(&n)
	if err != nil {
		return 0, c.explain(err)
	}
	return int64(n), nil
}

func (c *clickHouse) rows(ctx context.Context, run string, fn func(*row) error) (err error) {
	rows, err := c.conn.Query(c.with(ctx, run), `
		SELECT event_id, toString(project_id), payload, message, toString(level), toString(environment),
		       toUnixTimestamp64Milli(timestamp), timestamp_adjusted`+from)
	if err != nil {
		return c.explain(err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var r row
	for rows.Next() {
		err := rows.Scan(&r.id, &r.project, &r.payload, &r.message, &r.level, &r.environment, &r.millis, &r.adjusted)
		if err != nil {
			return fmt.Errorf("scan a row: %w", err)
		}
		if err := fn(&r); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return c.explain(err)
	}
	return nil
}

func (c *clickHouse) close() error { return c.conn.Close() }

// from is the FROM and WHERE of every query; with sets its parameters.
const from = " FROM {database:Identifier}.events WHERE tags['" + runTag + "'] = {run:String}"

func (c *clickHouse) with(ctx context.Context, run string) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"database": c.database, "run": run}))
}

// These ClickHouse error codes have a simple remedy.
const (
	unknownTable    = 60
	unknownDatabase = 81
	authFailed      = 516
)

// explain adds the remedy to errors that a wrong setting causes.
func (c *clickHouse) explain(err error) error {
	var exception *clickhouse.Exception
	if !errors.As(err, &exception) {
		return fmt.Errorf("ClickHouse at %v: %w", c.addrs, err)
	}
	switch exception.Code {
	case unknownTable, unknownDatabase:
		return fmt.Errorf("%s.events does not exist on ClickHouse at %v: "+
			"apply the schema with consumer migrate, or check --clickhouse", c.database, c.addrs)
	case authFailed:
		return fmt.Errorf("ClickHouse at %v refuses the user or password of --clickhouse", c.addrs)
	default:
		return fmt.Errorf("ClickHouse at %v, code %d: %s", c.addrs, exception.Code, exception.Message)
	}
}
