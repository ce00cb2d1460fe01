package erase

import (
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/internal/console/scrape"
	"sluice/internal/erasure"
	"sluice/internal/event"
	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
)

// Config says what is erased, and where that may be. cmd/sluice embeds it as flags of `sluice erase`.
type Config struct {
	Project string `name:"project" placeholder:"P" help:"The project. Without --user and --email all of its events are erased."`
	User    string `name:"user" placeholder:"U" help:"Erase the events with this user_id."`
	Email   string `name:"email" placeholder:"E" help:"Erase the events with this user_email, in upper or lower case. With --user: the events that have either."`
	Note    string `name:"note" placeholder:"TEXT" help:"Noted beside the erasure and in the receipt, such as the number of a request. Do not name the person."`

	DSN     string `name:"clickhouse-dsn" placeholder:"DSN" default:"${clickhouse_dsn}" help:"ClickHouse, as the consumers' --clickhouse-dsn. The user needs SELECT and ALTER DELETE on the tables, INSERT on erasures, and SELECT on system tables."`
	DSNFile string `name:"clickhouse-dsn-file" placeholder:"FILE" help:"File with the DSN."`
	Cluster string `name:"clickhouse-cluster" placeholder:"NAME" help:"ClickHouse cluster, as the consumers'."`

	Doubt     settings.Duration `name:"resend-window" default:"24h" help:"How long clients may send an event again. For this time after the erasure, events of the erased are dropped that do not tell when they happened: they may be resends. At most 365d; 0s: none are."`
	Gateways  []string          `name:"gateways" placeholder:"HOST:PORT,…" help:"Admin ports of the gateways, to look at what waits in their spools. A name may stand for many."`
	Consumers []string          `name:"consumers" placeholder:"HOST:PORT,…" help:"Admin ports of the consumers, to make sure that each of them heeds erasures. A name may stand for many."`
}

const (
	// longestValue bounds a user's id and address, in bytes: as many as an event may have.
	longestValue = event.MaxEventBytes
	// longestNote bounds the note, in bytes.
	longestNote = 1000
	// longestDoubt bounds --resend-window.
	longestDoubt = 365 * 24 * time.Hour
)

// Check reports every fault of the settings.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	switch {
	case c.Project == "":
		fault("--project: name the project whose events are erased")
	case !event.ValidProjectID(c.Project):
		fault("--project: 1 to 64 characters of a to z, 0 to 9, underscore and hyphen")
	}
	if len(c.User) > longestValue || len(c.Email) > longestValue {
		fault("--user, --email: at most %d bytes", longestValue)
	}
	if len(c.Note) > longestNote {
		fault("--note: at most %d bytes, not %d", longestNote, len(c.Note))
	}
	if d := time.Duration(c.Doubt); d < 0 || d > longestDoubt || d%time.Second != 0 {
		fault("--resend-window: 0s to 365d, in whole seconds")
	}
	if err := scrape.Check(c.Gateways); err != nil {
		fault("--gateways: %w", err)
	}
	if err := scrape.Check(c.Consumers); err != nil {
		fault("--consumers: %w", err)
	}
	if err := c.clickHouse().Check(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (c Config) clickHouse() clickhouse.Config {
	return clickhouse.Config{DSN: c.DSN, DSNFile: c.DSNFile, Cluster: c.Cluster}
}

// WholeProject reports whether all events of the project are meant.
func (c Config) WholeProject() bool { return c.User == "" && c.Email == "" }

// MarksAt returns the marks of what the settings name, for an erasure at a time.
func (c Config) MarksAt(at time.Time, salt erasure.Salt) (marks []erasure.Mark) {
	add := func(kind erasure.Kind, value string) {
		marks = append(marks, erasure.NewMark(c.Project, kind, value, salt, at, time.Duration(c.Doubt)))
	}
	if c.WholeProject() {
		add(erasure.Project, "")
	}
	if c.User != "" {
		add(erasure.User, c.User)
	}
	if c.Email != "" {
		add(erasure.Email, c.Email)
	}
	return marks
}

// Eraser erases. It is for one goroutine.
type Eraser struct {
	Config

	conn     kafkaconn.Config
	db       *database
	progress func(format string, args ...any)
	now      func() time.Time
}

// New returns an eraser. It opens no connection. Progress goes to progress, in lines. An error lists the faults of the
// settings. The caller calls Close when done.
func New(cfg Config, conn kafkaconn.Config, progress io.Writer) (*Eraser, error) {
	if err := errors.Join(cfg.Check(), conn.Check()); err != nil {
		return nil, err
	}
	return open(cfg, conn, progress)
}

func open(cfg Config, conn kafkaconn.Config, progress io.Writer) (*Eraser, error) {
	db, err := openDatabase(cfg.clickHouse())
	if err != nil {
		return nil, err
	}
	say := func(format string, args ...any) { fmt.Fprintf(progress, format+"\n", args...) }
	return &Eraser{Config: cfg, conn: conn, db: db, progress: say, now: time.Now}, nil
}

// Close closes the connections.
func (e *Eraser) Close() { e.db.close() }
