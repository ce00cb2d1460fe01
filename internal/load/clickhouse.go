package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// clickHouse reads the rows of a run from sluice.events: the view that analysts query, not the table behind it, because it
// is the view that promises one row an event.
type clickHouse struct {
	conn     driver.Conn
	database string
	addrs    []string
}

// defaultDatabase is used when the DSN names none.
const defaultDatabase = "sluice"

// countTimeout bounds one count; a server that hangs is then asked again.
const countTimeout = 30 * time.Second

// openClickHouse connects to nothing yet; the first count does.
func openClickHouse(dsn string) (store, error) {
	opts, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return nil, errors.New("--clickhouse: not a ClickHouse DSN such as clickhouse://user:password@host:9000/sluice")
	}
	database := opts.Auth.Database
	set(&database, defaultDatabase)
	// Queries name the database. A connection that names one that does not exist is refused before it can ask anything, and
	// the engine of sluice dev does not survive that.
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
		if err := rows.Scan(&r.id, &r.project, &r.payload, &r.message, &r.level, &r.environment, &r.millis, &r.adjusted); err != nil {
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

// from is what every query reads; with fills it in.
const from = " FROM {database:Identifier}.events WHERE tags['" + runTag + "'] = {run:String}"

func (c *clickHouse) with(ctx context.Context, run string) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"database": c.database, "run": run}))
}

// Codes of ClickHouse that have a plain remedy.
const (
	unknownTable    = 60
	unknownDatabase = 81
	authFailed      = 516
)

// explain says what to do about the errors that a wrong setting causes.
func (c *clickHouse) explain(err error) error {
	var exception *clickhouse.Exception
	if !errors.As(err, &exception) {
		return fmt.Errorf("ClickHouse at %v: %w", c.addrs, err)
	}
	switch exception.Code {
	case unknownTable, unknownDatabase:
		return fmt.Errorf("there is no %s.events on ClickHouse at %v: apply the schema with consumer migrate, or check --clickhouse", c.database, c.addrs)
	case authFailed:
		return fmt.Errorf("ClickHouse at %v refuses the user or password of --clickhouse", c.addrs)
	default:
		return fmt.Errorf("ClickHouse at %v, code %d: %s", c.addrs, exception.Code, exception.Message)
	}
}
