package columns

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/schema"
)

// Manager adds, lists and removes the custom columns of one database.
type Manager struct {
	cfg      clickhouse.Config
	out      io.Writer // what was done
	progress io.Writer // what is under way
	json     bool
	poll     time.Duration // between two looks at a backfill
	quiet    time.Duration // between two lines of progress
}

// New returns a Manager that prints what it did on out, as one JSON object a line with json, and how far a backfill is
// on progress. It opens nothing.
func New(cfg clickhouse.Config, out, progress io.Writer, json bool) *Manager {
	return &Manager{cfg: cfg, out: out, progress: progress, json: json, poll: 250 * time.Millisecond, quiet: 2 * time.Second}
}

// session is a connection for one command.
type session struct {
	*Manager
	db       *sql.DB
	database string
	table    string // that has the rows
}

// connect opens ClickHouse for one piece of work.
func (m *Manager) connect(ctx context.Context, work func(*session) error) error {
	opts, err := m.cfg.Options()
	if err != nil {
		return err
	}
	s := &session{Manager: m, db: clickhouse.OpenDB(opts, "default"), database: opts.Auth.Database, table: clickhouse.TableName}
	defer s.db.Close() //nolint:errcheck // nothing is pending
	if m.cfg.Cluster != "" {
		s.table = clickhouse.LocalTable
	}
	if err := s.db.PingContext(ctx); err != nil {
		return fmt.Errorf("clickhouse at %s: %w (check --clickhouse-dsn, and that the server runs)",
			strings.Join(opts.Addr, ", "), err)
	}
	return explain(work(s))
}

// edit changes the table and the view, or with dry says how.
func (m *Manager) edit(ctx context.Context, e schema.ColumnEdit, dry bool) (statements []string, err error) {
	return schema.NewMigrator(schema.Config{ClickHouse: m.cfg}, io.Discard).EditColumns(ctx, e, dry)
}

// explain says what to do about an error of ClickHouse's that the user's rights cause: 164 READONLY, 497 ACCESS_DENIED.
func explain(err error) error {
	if code := clickhouse.Code(err); code == 164 || code == 497 {
		return fmt.Errorf("%w; use a user that may change the schema, as for `consumer migrate`: see --clickhouse-dsn", err)
	}
	return err
}

// system names a system table of all servers.
func (s *session) system(table string) string {
	if s.cfg.Cluster == "" {
		return "system." + table
	}
	return "clusterAllReplicas(" + clickhouse.Quote(s.cfg.Cluster) + ", system." + table + ")"
}

// ofTable is the condition that a line of a system table is about the table of the rows.
func (s *session) ofTable() string {
	return "database = " + clickhouse.Quote(s.database) + " AND table = " + clickhouse.Quote(s.table)
}

// alter begins a statement that changes the table of the rows.
func (s *session) alter() string {
	text := "ALTER TABLE " + s.database + "." + s.table
	if s.cfg.Cluster != "" {
		text += " ON CLUSTER " + clickhouse.Quote(s.cfg.Cluster)
	}
	return text + " "
}

// ask asks a question, and calls scan for each line of the answer.
func (s *session) ask(ctx context.Context, query string, scan func(*sql.Rows) error) (err error) {
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read an answer of ClickHouse: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("ask ClickHouse: %w", err)
	}
	return nil
}

// exec runs a statement.
func (s *session) exec(ctx context.Context, statement string) error {
	if _, err := s.db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("%.80s: %w", statement, err)
	}
	return nil
}
