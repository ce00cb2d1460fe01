package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"sluice/consumer/clickhouse"
)

// Migrator compares the schema with a ClickHouse server, and makes what is missing. `consumer migrate` runs it, never a
// consumer that starts: many consumers start at once, and their user should not have the rights.
//
// It keeps no list of what was applied. It leaves alone what exists: tables, columns, indices, projections and views
// that somebody added or changed, settings that have a value, and the retention unless one is given.
type Migrator struct {
	May Permissions // what it may change

	cfg     Config
	out     io.Writer
	edit    ColumnEdit
	inspect func(context.Context, *sql.DB, variant) (*serverInfo, error) // tests replace it
}

// Permissions allow changes that remove or hide something. Without them a Migrator reports such a change and does not
// make it.
type Permissions struct {
	ShortenRetention bool // remove the rows that are older than Config.Retention
	ReplaceViews     bool // replace views whose query is not the schema's
}

// NewMigrator returns a Migrator that prints on out what it does. It opens nothing.
func NewMigrator(cfg Config, out io.Writer) *Migrator {
	return &Migrator{cfg: cfg, out: out, inspect: inspect}
}

var (
	// ErrPending is returned by [Migrator.Status] when the schema is not complete.
	ErrPending = errors.New("the schema is not complete")
	// ErrLeft is returned when something was left alone that differs from the schema or from what was asked for.
	ErrLeft = errors.New("left as it is")
)

// Apply makes the database and what is missing in it, and sets the retention if one is given. It may be run again at
// any time, also after it was interrupted: each step is one statement, and does nothing where its work is done. Several
// may run at a time.
func (m *Migrator) Apply(ctx context.Context) error {
	return m.connect(ctx, func(db *sql.DB, v variant) error {
		p, err := m.plan(ctx, db, v)
		if err != nil {
			return err
		}
		if err := m.run(ctx, db, p.steps); err != nil {
			for _, f := range p.left() { // which may be the reason
				m.printf("%s", f)
			}
			return err
		}
		if len(p.steps) > 0 {
			if p, err = m.plan(ctx, db, v); err != nil {
				return err
			}
		}
		for _, f := range p.with(stateMissing, stateDiffers, statePending) {
			m.printf("%s", f)
		}
		if len(p.steps) > 0 {
			return fmt.Errorf("still missing after the migration: %s", names(p.with(stateMissing, statePending)))
		}
		if err := p.remains(); err != nil {
			return err
		}
		m.printf("schema is up to date")
		return m.noteLevels(ctx, db)
	})
}

// remains is the error of a migration whose steps were run.
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

// run runs the steps and prints each. It connects to the database once that exists.
func (m *Migrator) run(ctx context.Context, server *sql.DB, steps []change) error {
	db := server
	for _, s := range steps {
		if !s.server && db == server {
			opts, err := m.cfg.ClickHouse.Options()
			if err != nil {
				return err
			}
			db = clickhouse.OpenDB(opts, opts.Auth.Database)
			defer db.Close() //nolint:errcheck,revive // once; nothing is pending
		}
		if _, err := db.ExecContext(ctx, s.statement); err != nil {
			return fmt.Errorf("%.80s: %w", strings.Join(strings.Fields(s.statement), " "), err)
		}
		m.printf("%s", s.done)
	}
	return nil
}

// Status prints what exists, what is missing and what differs. It returns ErrPending unless everything is as the schema
// says.
func (m *Migrator) Status(ctx context.Context) error {
	return m.connect(ctx, func(db *sql.DB, v variant) error {
		p, err := m.plan(ctx, db, v)
		if err != nil {
			return err
		}
		for _, f := range p.findings {
			m.printf("%s", f)
		}
		if err := m.noteLevels(ctx, db); err != nil {
			return err
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
		return fmt.Errorf("%w: %s; `consumer migrate` makes what is missing or pending",
			ErrPending, strings.Join(counts, ", "))
	})
}

// DryRun prints the statements that Apply would run. Where the server cannot be reached, and with cloud, it prints the
// statements for an empty server: of ClickHouse Cloud with cloud. Apply recognises ClickHouse Cloud by itself.
func (m *Migrator) DryRun(ctx context.Context, cloud bool) error {
	if cloud {
		return m.printAll(true)
	}
	err := m.connect(ctx, func(db *sql.DB, v variant) error {
		p, err := m.plan(ctx, db, v)
		if err != nil {
			return err
		}
		m.print(p)
		return p.remains()
	})
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		m.printf("-- %s", strings.ReplaceAll(err.Error(), "\n", " "))
		m.printf("-- The server was not asked. An empty one would be sent:\n")
		return m.printAll(false)
	}
	return err
}

// printAll prints the statements for an empty server.
func (m *Migrator) printAll(cloud bool) error {
	opts, err := m.cfg.ClickHouse.Options()
	if err != nil {
		return err
	}
	v := m.variant(opts.Auth.Database)
	v.Cloud = cloud
	if v.Cloud && v.Cluster != "" {
		return errors.New("--cloud: ClickHouse Cloud replicates by itself, leave --clickhouse-cluster out")
	}
	a, err := m.cfg.retention()
	if err != nil {
		return err
	}
	v.TTL = a.newTTL(nil)
	v.OutcomesTTL = a.newOutcomesTTL(nil, v.TTL)
	all, err := statements(v)
	if err != nil {
		return err
	}
	p := migration{steps: []change{{statement: v.createDatabase()}}}
	for _, s := range all {
		p.do(change{statement: s.text, file: s.file})
	}
	m.print(p)
	return nil
}

func (m *Migrator) print(p migration) {
	for _, s := range p.steps {
		if s.file != "" {
			m.printf("-- %s", s.file)
		}
		m.printf("%s;\n", s.statement)
	}
	if len(p.steps) == 0 {
		m.printf("-- nothing to run")
	}
	for _, f := range p.with(stateDiffers, statePending) {
		m.printf("-- %s", f)
	}
}

// plan compares the schema with the server.
func (m *Migrator) plan(ctx context.Context, db *sql.DB, v variant) (migration, error) {
	all, err := readWanted(ctx, db, v)
	if err != nil {
		return migration{}, err
	}
	inv, err := readInventory(ctx, db, v, all)
	if err != nil {
		return migration{}, err
	}
	a, err := m.cfg.retention()
	if err != nil {
		return migration{}, err
	}
	v.TTL = a.newTTL(inv.ttls(v.Table()))
	v.OutcomesTTL = a.newOutcomesTTL(inv.ttls(v.Outcomes()), v.TTL)
	v.Custom = m.edit.custom(&inv, v)
	v.Extra = viewColumns(v.Custom)
	texts, err := statements(v)
	if err != nil {
		return migration{}, err
	}
	for i := range texts {
		all[i].statement = texts[i]
	}
	withCustom(all, v.Custom)
	c := comparison{variant: v, inventory: inv, replaceViews: m.May.ReplaceViews, edit: m.edit}
	c.compare(all)
	err = c.retention(a, m.May.ShortenRetention, func(table, ttl string) (loss, error) {
		return lostBy(ctx, db, v, table, ttl)
	})
	return c.migration, err
}

func (m *Migrator) variant(database string) variant {
	return variant{Database: database, Cluster: m.cfg.ClickHouse.Cluster}
}

// connect opens the server's default database for one piece of work, after it has checked that the server is suitable.
func (m *Migrator) connect(ctx context.Context, work func(*sql.DB, variant) error) error {
	opts, err := m.cfg.ClickHouse.Options()
	if err != nil {
		return err
	}
	v := m.variant(opts.Auth.Database)
	db, err := openDefault(ctx, m.cfg.ClickHouse)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing is pending
	s, err := m.inspect(ctx, db, v)
	if err != nil {
		return err
	}
	if err := s.fits(v); err != nil {
		return fmt.Errorf("clickhouse at %s: %w", strings.Join(opts.Addr, ", "), err)
	}
	v.Cloud = s.Cloud
	return work(db, v)
}

// openDefault connects to the default database, because the schema's own may not exist. The error is one sentence for
// the author of the DSN. It does not repeat the password.
func openDefault(ctx context.Context, cfg clickhouse.Config) (*sql.DB, error) {
	opts, err := cfg.Options()
	if err != nil {
		return nil, err
	}
	db := clickhouse.OpenDB(opts, "default")
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("clickhouse at %s: %w (check --clickhouse-dsn, and that the server runs)",
			strings.Join(opts.Addr, ", "), err)
	}
	return db, nil
}

func (m *Migrator) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(m.out, format+"\n", args...)
}
