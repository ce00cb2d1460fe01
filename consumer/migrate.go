package consumer

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"
)

// schema holds the migrations: a statement a file, each safe to run again, because ClickHouse's DDL has no transactions. A
// file that was released is never changed; what comes later is a new file.
//
//go:embed schema/*.sql
var schema embed.FS

// migrationsTable is where goose keeps which migrations were applied.
const migrationsTable = "schema_migrations"

// Migrator applies the schema to a ClickHouse server. It is run by `consumer migrate`, never by a consumer as it starts:
// many of them start at once, and their user should not have the rights.
type Migrator struct {
	store Store
	out   io.Writer
	look  func(context.Context, *sql.DB, flavour) (*survey, error) // a seam for tests
}

// NewMigrator returns a Migrator that says on out what it does.
func NewMigrator(store Store, out io.Writer) *Migrator {
	return &Migrator{store: store, out: out, look: look}
}

// files are the migrations as a kind of ClickHouse needs them.
func files(f flavour) (fs.FS, error) {
	sub, err := fs.Sub(schema, "schema")
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return renderedFiles{sub, f}, nil
}

// eachMigration calls each with the migrations in their order, as they are for f.
func eachMigration(f flavour, each func(name, text string)) error {
	names, err := migrationNames()
	if err != nil {
		return err
	}
	rendered, err := files(f)
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(rendered, name)
		if err != nil {
			return fmt.Errorf("read the schema: %w", err)
		}
		each(name, string(text))
	}
	return nil
}

func migrationNames() ([]string, error) {
	sub, err := files(flavour{})
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(sub, "*.sql")
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return names, nil
}

// Apply makes the database if it is not there, applies what was not applied yet, and sets the retention. It may be run again
// at any time, also after it was interrupted.
func (m *Migrator) Apply(ctx context.Context) error {
	return m.with(ctx, true, func(db *sql.DB, f flavour, provider *goose.Provider) error {
		results, err := provider.Up(ctx)
		for _, r := range results {
			m.sayf("applied %s in %s", r.Source.Path, r.Duration.Round(time.Millisecond))
		}
		if err != nil {
			return fmt.Errorf("apply the schema: %w", err)
		}
		if len(results) == 0 {
			m.sayf("schema is up to date")
		}
		if err := repeat(ctx, db, f); err != nil {
			return err
		}
		return m.retain(ctx, db, f)
	})
}

// Status says which migrations were applied, and returns how many were not.
func (m *Migrator) Status(ctx context.Context) (pending int, err error) {
	if there, err := m.databaseThere(ctx); err != nil || !there {
		names, globErr := migrationNames()
		for _, name := range names {
			m.sayPending(name)
		}
		return len(names), errors.Join(err, globErr)
	}
	err = m.with(ctx, false, func(_ *sql.DB, _ flavour, provider *goose.Provider) error {
		all, err := provider.Status(ctx)
		if err != nil {
			return fmt.Errorf("read the schema's state: %w", err)
		}
		for _, s := range all {
			if s.State == goose.StateApplied {
				m.sayf("applied  %s  %s", s.AppliedAt.UTC().Format(time.RFC3339), s.Source.Path)
			} else {
				m.sayPending(s.Source.Path)
				pending++
			}
		}
		return nil
	})
	return pending, err
}

// DryRun prints every statement, and the retention, without asking the server anything: so it must be told whether it is ClickHouse
// Cloud, which Apply recognises.
func (m *Migrator) DryRun(cloud bool) error {
	opts, err := m.store.options()
	if err != nil {
		return err
	}
	f := m.flavour(opts)
	f.cloud = cloud
	if f.cloud && f.cluster != "" {
		return errors.New("--cloud: ClickHouse Cloud replicates by itself, leave --clickhouse-cluster out")
	}
	m.sayf("%s;\n", f.createDatabase())
	if f.cluster != "" {
		m.sayf("%s;\n", f.versionTable())
	}
	if err := eachMigration(f, func(name, text string) { m.sayf("-- %s\n%s", name, text) }); err != nil {
		return err
	}
	m.sayf("%s;", m.retentionStatement(f))
	return nil
}

func (m *Migrator) flavour(opts *clickhouse.Options) flavour {
	return flavour{database: opts.Auth.Database, cluster: m.store.Cluster, ttl: m.ttl()}
}

// with opens the database for one piece of work, once the server is known to be one for it.
func (m *Migrator) with(ctx context.Context, create bool, work func(*sql.DB, flavour, *goose.Provider) error) error {
	opts, err := m.store.options()
	if err != nil {
		return err
	}
	opts.DialTimeout = dialTimeout
	f, err := m.prepare(ctx, *opts, create)
	if err != nil {
		return err
	}
	db := clickhouse.OpenDB(opts)
	defer db.Close() //nolint:errcheck // nothing is pending
	if err := db.PingContext(ctx); err != nil {
		return unreachable(opts, err)
	}
	provider, err := newProvider(db, f)
	if err != nil {
		return err
	}
	return work(db, f, provider)
}

// prepare looks at the server, and makes the database if it is not there and should be.
func (m *Migrator) prepare(ctx context.Context, opts clickhouse.Options, create bool) (flavour, error) {
	f := m.flavour(&opts)
	db, err := openDefault(ctx, opts)
	if err != nil {
		return f, err
	}
	defer db.Close() //nolint:errcheck // nothing is pending
	s, err := m.look(ctx, db, f)
	if err != nil {
		return f, err
	}
	if err := s.fits(f); err != nil {
		return f, fmt.Errorf("clickhouse at %s: %w", strings.Join(opts.Addr, ", "), err)
	}
	f.cloud = s.cloud
	if !create {
		return f, nil
	}
	if _, err := db.ExecContext(ctx, f.createDatabase()); err != nil {
		return f, fmt.Errorf("create database %s: %w", f.database, err)
	}
	return f, nil
}

func (m *Migrator) databaseThere(ctx context.Context) (bool, error) {
	opts, err := m.store.options()
	if err != nil {
		return false, err
	}
	opts.DialTimeout = dialTimeout
	db, err := openDefault(ctx, *opts)
	if err != nil {
		return false, err
	}
	defer db.Close() //nolint:errcheck // nothing is pending
	var n uint64
	if err := db.QueryRowContext(ctx, "SELECT count() FROM system.databases WHERE name = '"+opts.Auth.Database+"'").Scan(&n); err != nil {
		return false, fmt.Errorf("look for database %s: %w", opts.Auth.Database, err)
	}
	return n > 0, nil
}

// openDefault connects to the default database, because the one to be made is not there to connect to.
func openDefault(ctx context.Context, opts clickhouse.Options) (*sql.DB, error) {
	opts.Auth.Database = "default"
	db := clickhouse.OpenDB(&opts)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, unreachable(&opts, err)
	}
	return db, nil
}

// unreachable is one sentence for somebody who wrote a DSN; it does not repeat the password in it.
func unreachable(opts *clickhouse.Options, err error) error {
	return fmt.Errorf("clickhouse at %s: %w (check --clickhouse-dsn, and that the server runs)", strings.Join(opts.Addr, ", "), err)
}

func newProvider(db *sql.DB, f flavour) (*goose.Provider, error) {
	sub, err := files(f)
	if err != nil {
		return nil, err
	}
	dialect, versions := goose.DialectClickHouse, goose.WithTableName(migrationsTable)
	if f.cluster != "" {
		store, err := goosedb.NewStore(goosedb.DialectClickHouse, migrationsTable)
		if err != nil {
			return nil, fmt.Errorf("read the schema: %w", err)
		}
		dialect, versions = goose.DialectCustom, goose.WithStore(clusterVersions{store, f})
	}
	provider, err := goose.NewProvider(dialect, db, sub, goose.WithDisableGlobalRegistry(true), versions)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	return provider, nil
}

// repeat carries out on a cluster what was applied already: a server that has joined it since has nothing yet, and for the others it changes
// nothing.
func repeat(ctx context.Context, db *sql.DB, f flavour) error {
	if f.cluster == "" {
		return nil
	}
	all := []string{f.versionTable()}
	err := eachMigration(f, func(_, text string) {
		_, statements := cutComments(text)
		all = append(all, strings.Split(strings.TrimSpace(statements), ";\n")...)
	})
	if err != nil {
		return err
	}
	for _, statement := range all {
		if _, err := db.ExecContext(ctx, strings.TrimSuffix(statement, ";")); err != nil {
			return fmt.Errorf("apply the schema to servers that joined the cluster: %w", err)
		}
	}
	return nil
}

// clusterVersions is goose's store of what was applied, for all servers of a cluster.
type clusterVersions struct {
	goosedb.Store
	flavour flavour
}

// CreateVersionTable makes the table on every server.
func (c clusterVersions) CreateVersionTable(ctx context.Context, db goosedb.DBTxConn) error {
	if _, err := db.ExecContext(ctx, c.flavour.versionTable()); err != nil {
		return fmt.Errorf("create table %s: %w", migrationsTable, err)
	}
	return nil
}

// retain sets how long events are kept. It is no migration: the setting may change without the schema.
func (m *Migrator) retain(ctx context.Context, db *sql.DB, f flavour) error {
	var engine string
	err := db.QueryRowContext(ctx, "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = '"+f.table()+"'").Scan(&engine)
	if err != nil {
		return fmt.Errorf("read the retention: %w", err)
	}
	if strings.Contains(engine, m.ttl()) {
		return nil
	}
	if _, err := db.ExecContext(ctx, m.retentionStatement(f)); err != nil {
		return fmt.Errorf("set the retention: %w", err)
	}
	m.sayf("events are kept for %s after their receipt", time.Duration(m.store.Retention))
	return nil
}

func (m *Migrator) ttl() string {
	return fmt.Sprintf("TTL toDateTime(received_at) + toIntervalSecond(%d)", int64(time.Duration(m.store.Retention).Seconds()))
}

func (m *Migrator) retentionStatement(f flavour) string {
	return "ALTER TABLE " + f.table() + f.onCluster() + " MODIFY " + m.ttl()
}

func (m *Migrator) sayPending(name string) { m.sayf("pending  %20s  %s", "", name) }

func (m *Migrator) sayf(format string, args ...any) { _, _ = fmt.Fprintf(m.out, format+"\n", args...) }

// ErrPending is returned when a schema should be up to date and is not.
var ErrPending = errors.New("the schema is not up to date; run `consumer migrate`")
