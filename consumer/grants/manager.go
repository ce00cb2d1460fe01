package grants

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

// Manager compares the access with a ClickHouse server, and makes what is missing. The schema must be there before.
type Manager struct {
	cfg        Config
	clickhouse clickhouse.Config
	out        io.Writer
}

// NewManager returns a Manager that prints on out what it does. It opens nothing.
func NewManager(cfg Config, to clickhouse.Config, out io.Writer) *Manager {
	return &Manager{cfg: cfg, clickhouse: to, out: out}
}

var (
	// ErrPending is returned by [Manager.Status] when the access is not complete.
	ErrPending = errors.New("the access is not complete")
	// ErrLeft is returned when something was left alone that may show events to somebody, or hide them.
	ErrLeft = errors.New("left as it is")
)

// Apply makes what is missing, and changes what the settings ask for. It may be run again at any time, also after it
// was interrupted: each step is one statement, and does nothing where its work is done.
func (m *Manager) Apply(ctx context.Context) error {
	return m.connect(ctx, func(db *sql.DB, p place) error {
		c, err := m.compare(ctx, db, p)
		if err != nil {
			return err
		}
		for _, s := range c.steps {
			if _, err := db.ExecContext(ctx, s.statement); err != nil {
				return m.explain(s.statement, err)
			}
			m.printf("%s", s.done)
		}
		if len(c.steps) > 0 {
			if c, err = m.compare(ctx, db, p); err != nil {
				return err
			}
			if len(c.steps) > 0 {
				left := what(c.with(stateMissing, statePending))
				return fmt.Errorf("still missing after the statements were run: %s", left)
			}
		}
		for _, f := range c.with(stateDiffers) {
			m.printf("%s", f)
		}
		if err := c.remains(); err != nil {
			return err
		}
		m.printf("access is up to date")
		m.noteRoles(c)
		return nil
	})
}

// noteRoles says what to do with the roles.
func (m *Manager) noteRoles(c *comparison) {
	roles := 0
	for key := range c.things {
		if strings.HasPrefix(key, "role "+c.role("")) {
			roles++
		}
	}
	if roles == 0 {
		m.printf("note     no role sees a project yet: --analysts NAME=PROJECT,... makes one")
	}
}

// remains is the error of a run whose steps are done.
func (c *comparison) remains() error {
	var left []finding
	for _, f := range c.with(stateDiffers) {
		if f.harm {
			left = append(left, f)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrLeft, what(left))
}

func what(findings []finding) string {
	var out []string
	for _, f := range findings {
		out = append(out, f.what)
	}
	return strings.Join(out, ", ")
}

// Status prints what exists, what is missing and what differs. It returns ErrPending unless everything is there.
func (m *Manager) Status(ctx context.Context) error {
	return m.connect(ctx, func(db *sql.DB, p place) error {
		c, err := m.compare(ctx, db, p)
		if err != nil {
			return err
		}
		for _, f := range c.findings {
			m.printf("%s", f)
		}
		var counts []string
		for _, state := range []string{stateMissing, statePending, stateDiffers} {
			if n := len(c.with(state)); n > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", n, state))
			}
		}
		if len(counts) == 0 {
			return nil
		}
		return fmt.Errorf("%w: %s; `consumer migrate --grants` makes what is missing or pending",
			ErrPending, strings.Join(counts, ", "))
	})
}

// DryRun prints the statements that Apply would run. Where the server cannot be reached, and with cloud, it prints the
// statements for a server without any of it.
func (m *Manager) DryRun(ctx context.Context, cloud bool) error {
	if cloud {
		return m.printAll()
	}
	err := m.connect(ctx, func(db *sql.DB, p place) error {
		c, err := m.compare(ctx, db, p)
		if err != nil {
			return err
		}
		m.print(c)
		return c.remains()
	})
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
		return m.printAll()
	}
	return err
}

func (m *Manager) printAll() error {
	p, named, err := m.place()
	if err != nil {
		return err
	}
	c := &comparison{place: p, inventory: newInventory(1)}
	c.compare(p.all(m.cfg, c.allSets(named)))
	m.print(c)
	return nil
}

func (m *Manager) print(c *comparison) {
	for _, s := range c.steps {
		m.printf("%s;\n", s.statement)
	}
	if len(c.steps) == 0 {
		m.printf("-- nothing to run for the access")
	}
	for _, f := range c.with(stateDiffers, statePending) {
		m.printf("-- %s", f)
	}
}

// place reads the settings.
func (m *Manager) place() (place, []set, error) {
	opts, err := m.clickhouse.Options()
	if err != nil {
		return place{}, nil, err
	}
	named, err := parseSets(m.cfg.Analysts)
	return place{database: opts.Auth.Database, cluster: m.clickhouse.Cluster, prefix: m.cfg.RolePrefix}, named, err
}

// compare compares the access with the server.
func (m *Manager) compare(ctx context.Context, db *sql.DB, p place) (*comparison, error) {
	_, named, err := m.place()
	if err != nil {
		return nil, err
	}
	if p.settings, err = p.readSettings(ctx, db, m.cfg); err != nil {
		return nil, err
	}
	inv, err := p.readInventory(ctx, db)
	if err != nil {
		return nil, m.explain("", err)
	}
	c := &comparison{place: p, inventory: inv, replace: m.cfg.Replace}
	c.compare(p.all(m.cfg, inv.allSets(named)))
	return c, nil
}

// connect opens the server's default database for one piece of work: the statements name Sluice's own.
func (m *Manager) connect(ctx context.Context, work func(*sql.DB, place) error) error {
	p, _, err := m.place()
	if err != nil {
		return err
	}
	opts, err := m.clickhouse.Options()
	if err != nil {
		return err
	}
	db := clickhouse.OpenDB(opts, "default")
	defer db.Close() //nolint:errcheck // nothing is pending
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("clickhouse at %s: %w (check --clickhouse-dsn, and that the server runs)",
			strings.Join(opts.Addr, ", "), err)
	}
	return work(db, p)
}

// explain says what to do about an error that a wrong setting of the server or a missing right causes.
func (m *Manager) explain(statement string, err error) error {
	if statement != "" {
		err = fmt.Errorf("%.80s: %w", strings.Join(strings.Fields(statement), " "), err)
	}
	switch clickhouse.Code(err) {
	case 497:
		return fmt.Errorf("%w; the user of --clickhouse-dsn must be allowed to manage access: access_management in "+
			"users.xml, or GRANT ALL ON *.* WITH GRANT OPTION", err)
	case 495, 514:
		return fmt.Errorf("%w; the server keeps no roles that SQL makes: "+
			"add a local_directory to user_directories in its configuration", err)
	}
	return err
}

func (m *Manager) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(m.out, format+"\n", args...)
}
