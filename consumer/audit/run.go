package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/kafka"
	"sluice/internal/deadletters"
	"sluice/internal/kafkaconn"
)

// Config holds the settings of an audit. cmd/sluice embeds it as flags of `sluice audit`.
type Config struct {
	Group      string        `name:"kafka-group" default:"sluice" help:"The consumers' group, whose committed offsets say what must be there."`
	DSN        string        `name:"clickhouse-dsn" placeholder:"DSN" default:"${clickhouse_dsn}" help:"ClickHouse, as the consumers' --clickhouse-dsn. Reading the tables is enough for the user. Of a cluster, any server."`
	DSNFile    string        `name:"clickhouse-dsn-file" placeholder:"FILE" help:"File with the DSN."`
	MaxLookups int64         `name:"max-lookups" default:"1000000" placeholder:"N" help:"Most offsets without a row to look up in Kafka, for each partition. The rest counts as unchecked, and the audit as incomplete. Offsets in ranges where a step dropped as many events as rows are missing need no look."`
	SecondLook time.Duration `name:"second-look" default:"2s" help:"Time before the audit asks for rows that seem to be lost again. On a cluster a replica may be behind."`
}

// Check reports every fault of the settings.
func (c Config) Check() error {
	var faults []error
	if c.Group == "" {
		faults = append(faults, errors.New("--kafka-group: must not be empty"))
	}
	if c.MaxLookups < 0 {
		faults = append(faults, errors.New("--max-lookups: must not be negative"))
	}
	if c.SecondLook < 0 {
		faults = append(faults, errors.New("--second-look: must not be negative"))
	}
	if _, err := c.clickHouse().Options(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

func (c Config) clickHouse() clickhouse.Config {
	return clickhouse.Config{DSN: c.DSN, DSNFile: c.DSNFile}
}

// topic is the topic of the events, and what the group has committed for it.
type topic interface {
	Partitions(ctx context.Context) (int, error)
	Committed(ctx context.Context, partition int) (offset int64, metadata string, err error)
	Bounds(ctx context.Context, partition int) (first, end int64, err error)
	Fetch(ctx context.Context, partition int, offset int64, wait time.Duration) (*kafka.Answer, error)
}

// Auditor makes audits, one at a time.
type Auditor struct {
	Config

	conn     kafkaconn.Config
	topic    topic
	desk     *deadletters.Desk
	db       *database
	progress func(format string, args ...any)
	close    []func()
}

// New prepares audits. It opens no connection. Progress of a long audit goes to progress, a line every few seconds. An
// error lists the faults of the settings. The caller calls Close when done.
func New(cfg Config, conn kafkaconn.Config, progress io.Writer) (*Auditor, error) {
	if err := errors.Join(cfg.Check(), conn.Check()); err != nil {
		return nil, err
	}
	client, err := kafka.New(conn, cfg.Group, kafka.DefaultTiming(), slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	desk, closeDesk, err := deadletters.New(conn)
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(cfg.clickHouse())
	if err != nil {
		return nil, err
	}
	return &Auditor{
		Config: cfg, conn: conn, topic: client, desk: desk, db: db, progress: slowly(progress),
		close: []func(){client.Close, closeDesk, db.close},
	}, nil
}

// Close closes the connections.
func (a *Auditor) Close() {
	for _, each := range a.close {
		each()
	}
}

// progressEvery is the time between two lines of progress.
const progressEvery = 5 * time.Second

// slowly prints lines to w, and leaves out those that come too fast.
func slowly(w io.Writer) func(format string, args ...any) {
	last := time.Now()
	return func(format string, args ...any) {
		if time.Since(last) >= progressEvery {
			last = time.Now()
			fmt.Fprintf(w, format+"\n", args...)
		}
	}
}

// Audit makes one audit. An error says why it could not be made; then nothing is known.
func (a *Auditor) Audit(ctx context.Context) (*Report, error) {
	began := time.Now()
	report := &Report{Topic: a.conn.Topic, Group: a.Group, Started: began.UTC().Truncate(time.Millisecond)}
	run := &audit{Auditor: a, report: report}
	partitions, err := run.begin(ctx)
	if err != nil {
		return nil, err
	}
	passes := make([]*pass, len(partitions))
	for i, b := range partitions {
		passes[i] = run.newPass(b)
	}
	if err := run.count(ctx, passes); err != nil {
		return nil, err
	}
	for _, p := range passes {
		account, err := p.check(ctx)
		if err != nil {
			return nil, err
		}
		report.Accounts = append(report.Accounts, account)
		report.Total.add(&account)
	}
	report.Seconds = time.Since(began).Seconds()
	return report, nil
}

// begin reads how far all partitions are, and what concerns all of them.
func (a *audit) begin(ctx context.Context) (partitions []bounds, err error) {
	n, err := a.topic.Partitions(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask Kafka about the topic %s: %w", a.report.Topic, err)
	}
	var oldest time.Time
	known, committed := true, false
	for id := range n {
		b, err := a.boundsOf(ctx, id)
		if err != nil {
			return nil, err
		}
		partitions = append(partitions, b)
		committed = committed || b.head >= 0
		if b.head > b.start {
			known = known && !b.since.IsZero()
			if oldest.IsZero() || b.since.Before(oldest) {
				oldest = b.since
			}
		}
	}
	if !committed {
		return nil, fmt.Errorf("the group %s has committed no offset of the topic %s: start a consumer, or check "+
			"--kafka-group and --kafka-topic", a.Group, a.report.Topic)
	}
	if !known {
		oldest = time.Time{}
	}
	if a.retention, err = a.db.retention(ctx); err != nil {
		return nil, err
	}
	if err := a.readErasures(ctx); err != nil {
		return nil, err
	}
	a.drops, err = a.db.dropped(ctx, a.report.Topic, oldest, a.erasures != nil)
	if errors.Is(err, errNoTable) {
		a.warn("the table outcomes_raw is missing (run `consumer migrate`): " +
			"events that a step dropped count as unaccounted")
		err = nil
	}
	a.elsewhere = a.drops.outside()
	return partitions, err
}

// deadPlace is where a dead letter came from.
type deadPlace struct {
	partition int
	offset    int64
}

// deadLetters reads the dead-letter topic, once in an audit, and returns where its letters came from.
func (a *audit) deadLetters(ctx context.Context) map[deadPlace]bool {
	if a.letters != nil {
		return a.letters
	}
	a.letters = map[deadPlace]bool{}
	for l, err := range a.desk.Letters(ctx, &deadletters.Filter{}) {
		if err != nil {
			a.warn("the dead letters cannot be read, so some may count as unaccounted: %v", err)
			break
		}
		if l.Topic == a.report.Topic {
			a.letters[deadPlace{l.From.Partition, l.From.Offset}] = true
		}
	}
	return a.letters
}
