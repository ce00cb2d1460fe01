package canary

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// clickHouse finds canary events in events_raw. An event can be queried in sluice.events, which is a view over it, as
// soon as its row is there. The question names the columns of the sorting key, so that it costs little in a table of
// any size.
type clickHouse struct {
	conn     driver.Conn
	database string
	project  string // "": any
}

const (
	queryTimeout = 20 * time.Second
	dialTimeout  = 5 * time.Second
)

func openClickHouse(cfg Config) (*clickHouse, error) {
	opts, err := clickhouse.ParseDSN(cfg.ClickHouse)
	if err != nil {
		return nil, errors.New("--clickhouse: not a ClickHouse DSN such as clickhouse://user:password@host:9000/sluice")
	}
	c := &clickHouse{database: opts.Auth.Database, project: cfg.Project}
	if c.database == "" {
		c.database = "sluice"
	}
	opts.Auth.Database, opts.DialTimeout, opts.MaxOpenConns, opts.MaxIdleConns = "", dialTimeout, 1, 1
	if c.conn, err = clickhouse.Open(opts); err != nil {
		return nil, fmt.Errorf("--clickhouse: %w", err)
	}
	return c, nil
}

func (c *clickHouse) close() { _ = c.conn.Close() }

// present returns which of some events have a row.
func (c *clickHouse) present(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	months, minutes, keys := make([]string, len(ids)), make([]string, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		seconds, _ := id.Time().UnixTime()
		at := time.Unix(seconds, 0).UTC().Truncate(time.Minute)
		months[i] = at.Format("200601")
		minutes[i] = fmt.Sprintf("toDateTime(%d,'UTC')", at.Unix())
		keys[i] = fmt.Sprintf("UUIDToNum(toUUID('%s'))", id)
	}
	in := func(texts []string) string { return " IN (" + strings.Join(texts, ",") + ")" }
	query := "SELECT DISTINCT event_id FROM {database:Identifier}.events_raw WHERE toYYYYMM(id_time)" + in(months) +
		" AND toStartOfMinute(id_time)" + in(minutes) + " AND UUIDToNum(event_id)" + in(keys)
	if c.project != "" {
		query += " AND project_id = {project:String}"
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{
		"database": c.database, "project": c.project,
	}))
	rows, err := c.conn.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer func() { _ = rows.Close() }()
	there := map[uuid.UUID]bool{}
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read an answer of ClickHouse: %w", err)
		}
		there[id] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("ask ClickHouse: %w", err)
	}
	return there, nil
}
