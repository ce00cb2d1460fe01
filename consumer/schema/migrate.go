package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"sluice/consumer/clickhouse"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// Migrator compares the schema with what a ClickHouse server has, and makes what is missing. It is run by `consumer
// migrate`, never by a consumer as it starts: many of them start at once, and their user should not have the rights.
//
// It keeps no list of what was applied. What is there is left alone: tables, columns, indices, projections and views
// that somebody added or changed, settings that have a value, and the retention unless one is given.
type Migrator struct {
	May Permissions // what it may do to what is there

	store Config
	out   io.Writer
	look  func(context.Context, *sql.DB, flavour) (*survey, error) // a seam for tests
}

// Permissions are for changes that remove or hide something. Without them such a change is said and not made.
type Permissions struct {
	ShortenRetention bool // remove the rows that are older than Store.Retention
	ReplaceViews     bool // replace views whose query is not the schema's
}

// NewMigrator returns a Migrator that says on out what it does.
func NewMigrator(store Config, out io.Writer) *Migrator {
	return &Migrator{store: store, out: out, look: look}
}

var (
	// ErrPending is returned by Status when a schema should be complete and is not.
	ErrPending = errors.New("the schema is not complete")
	// ErrLeft is returned when something was left as it is that differs from the schema, or from what was asked for.
	ErrLeft = errors.New("left as it is")
)

// Apply makes the database and what is missing in it, and sets the retention if one is given. It may be run again at
// any time, also after it was interrupted: each step is one statement, and does nothing where its work is done.
func (m *Migrator) Apply(ctx context.Context) error {
	return m.connect(ctx, func(db *sql.DB, f flavour) error {
		p, err := m.plan(ctx, db, f)
		if err != nil {
			return err
		}
		if err := m.run(ctx, db, p.steps); err != nil {
			for _, f := range p.left() { // which may be why
				m.sayf("%s", f)
			}
			return err
		}
		if len(p.steps) > 0 {
			if p, err = m.plan(ctx, db, f); err != nil {
				return err
			}
		}
		for _, f := range p.with(stateMissing, stateDiffers, statePending) {
			m.sayf("%s", f)
		}
		if len(p.steps) > 0 {
			return fmt.Errorf("still not there after it was made: %s", names(p.with(stateMissing, statePending)))
		}
		if err := p.remains(); err != nil {
			return err
		}
		m.sayf("schema is up to date")
		return nil
	})
}

// remains is the error of a plan whose steps were run.
func (p *migration) remains() error {
	var texts []string
	if left := p.left(); len(left) > 0 {
		texts = append(texts, names(left)+" (not changed by itself)")
	}
	if p.refused != "" {
		texts = append(texts, p.refused)
	}
	if len(texts) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrLeft, strings.Join(texts, "; "))
}

func names(findings []finding) string {
	var out []string
	for _, f := range findings {
		out = append(out, f.what)
	}
	return strings.Join(out, ", ")
}

// run carries out the steps and says each. The database is connected to once it is there.
func (m *Migrator) run(ctx context.Context, server *sql.DB, steps []change) error {
	db := server
	for _, s := range steps {
		if !s.server && db == server {
			opts, err := m.options()
			if err != nil {
				return err
			}
			db = driver.OpenDB(opts)
			defer db.Close() //nolint:errcheck,revive // once; nothing is pending
		}
		if _, err := db.ExecContext(ctx, s.statement); err != nil {
			return fmt.Errorf("%.80s: %w", strings.Join(strings.Fields(s.statement), " "), err)
		}
		m.sayf("%s", s.said)
	}
	return nil
}

// Status says what is there, what is missing and what differs. The error is ErrPending unless everything is as it
// should be.
func (m *Migrator) Status(ctx context.Context) error {
	return m.connect(ctx, func(db *sql.DB, f flavour) error {
		p, err := m.plan(ctx, db, f)
		if err != nil {
			return err
		}
		for _, f := range p.findings {
			m.sayf("%s", f)
		}
		var counts []string
		for _, state := range []string{stateMissing, statePending, stateDiffers} {
			if n := len(p.with(state)); n > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", n, state))
			}
		}
		if len(counts) == 0 {
			return nil
		}
		return fmt.Errorf("%w: %s; `consumer migrate` makes what is missing or pending", ErrPending, strings.Join(counts, ", "))
	})
}

// DryRun prints the statements that Apply would run. Where the server cannot be reached, and with cloud, these are the
// statements for an empty one: of ClickHouse Cloud with cloud, which Apply recognises by itself.
func (m *Migrator) DryRun(ctx context.Context, cloud bool) error {
	if cloud {
		return m.printAll(true)
	}
	err := m.connect(ctx, func(db *sql.DB, f flavour) error {
		p, err := m.plan(ctx, db, f)
		if err != nil {
			return err
		}
		m.print(p)
		return p.remains()
	})
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		m.sayf("-- %s", strings.ReplaceAll(err.Error(), "\n", " "))
		m.sayf("-- The server was not asked. An empty one would be sent:\n")
		return m.printAll(false)
	}
	return err
}

// printAll prints the statements for an empty server.
func (m *Migrator) printAll(cloud bool) error {
	opts, err := m.options()
	if err != nil {
		return err
	}
	f := m.flavour(opts)
	f.cloud = cloud
	if f.cloud && f.cluster != "" {
		return errors.New("--cloud: ClickHouse Cloud replicates by itself, leave --clickhouse-cluster out")
	}
	f.ttl = newTTL(nil, m.store.Retention)
	all, err := statements(f)
	if err != nil {
		return err
	}
	p := migration{steps: []change{{statement: f.createDatabase()}}}
	for _, s := range all {
		p.do(change{statement: s.text, file: s.file})
	}
	m.print(p)
	return nil
}

func (m *Migrator) print(p migration) {
	for _, s := range p.steps {
		if s.file != "" {
			m.sayf("-- %s", s.file)
		}
		m.sayf("%s;\n", s.statement)
	}
	if len(p.steps) == 0 {
		m.sayf("-- nothing to run")
	}
	for _, f := range p.with(stateDiffers, statePending) {
		m.sayf("-- %s", f)
	}
}

// plan compares the schema with what is there.
func (m *Migrator) plan(ctx context.Context, db *sql.DB, f flavour) (migration, error) {
	all, err := want(ctx, db, f)
	if err != nil {
		return migration{}, err
	}
	inv, err := take(ctx, db, f, all)
	if err != nil {
		return migration{}, err
	}
	have := inv.ttls(f.table())
	f.ttl = newTTL(have, m.store.Retention)
	texts, err := statements(f)
	if err != nil {
		return migration{}, err
	}
	for i := range texts {
		all[i].statement = texts[i]
	}
	c := comparison{flavour: f, inventory: inv, replaceViews: m.May.ReplaceViews}
	c.compare(all)
	lost := func(d time.Duration) (loss, error) { return lostBy(ctx, db, f, d) }
	err = c.retention(have, m.store.Retention, m.May.ShortenRetention, lost)
	return c.migration, err
}

func (m *Migrator) flavour(opts *driver.Options) flavour {
	return flavour{database: opts.Auth.Database, cluster: m.store.ClickHouse.Cluster}
}

func (m *Migrator) options() (*driver.Options, error) {
	opts, err := m.store.ClickHouse.Options()
	if err == nil {
		opts.DialTimeout = clickhouse.DialTimeout
	}
	return opts, err
}

// connect opens the server's default database for one piece of work, once the server is known to be one for the schema.
func (m *Migrator) connect(ctx context.Context, work func(*sql.DB, flavour) error) error {
	opts, err := m.options()
	if err != nil {
		return err
	}
	f := m.flavour(opts)
	db, err := openDefault(ctx, *opts)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is pending
	s, err := m.look(ctx, db, f)
	if err != nil {
		return err
	}
	if err := s.fits(f); err != nil {
		return fmt.Errorf("clickhouse at %s: %w", strings.Join(opts.Addr, ", "), err)
	}
	f.cloud = s.Cloud
	return work(db, f)
}

// openDefault connects to the default database, because the one to be made is not there to connect to.
func openDefault(ctx context.Context, opts driver.Options) (*sql.DB, error) {
	opts.Auth.Database = "default"
	db := driver.OpenDB(&opts)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, unreachable(&opts, err)
	}
	return db, nil
}

// unreachable is one sentence for somebody who wrote a DSN; it does not repeat the password in it.
func unreachable(opts *driver.Options, err error) error {
	return fmt.Errorf("clickhouse at %s: %w (check --clickhouse-dsn, and that the server runs)",
		strings.Join(opts.Addr, ", "), err)
}

func (m *Migrator) sayf(format string, args ...any) { _, _ = fmt.Fprintf(m.out, format+"\n", args...) }
