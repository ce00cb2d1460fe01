package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"sluice/internal/embedded"
	"sluice/internal/kafkaconn"
	"sluice/internal/load"
	"sluice/internal/settings"
	"sluice/internal/topics"
)

const (
	key        = "plan-key"
	partitions = 12
	rowsTable  = "sluice.events_raw"
)

// lab is a running pipeline.
type lab struct {
	dir      string
	engine   *embedded.Engine
	ask      engine
	broker   *process
	gateway  *process
	consumer *process
	rows     float64 // sent since the table was empty
	stopLast func()  // stops the engine; nil before its start
}

// start starts the parts in the order of their dependencies:
//
//	engine, broker ─▶ topics ─▶ consumer (applies the schema) ─▶ gateway
//
// stop ends them in reverse order; the caller calls it also after an error.
func (l *lab) start(ctx context.Context, progress io.Writer) error {
	l.engine = embedded.NewEngine(embedded.EngineConfig{
		TCPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", DataDir: filepath.Join(l.dir, "clickhouse"),
		Progress: progress, Logger: slog.New(slog.DiscardHandler),
	})
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	var failed error // written before ended closes
	go func() {
		defer close(ended)
		failed = l.engine.Run(running)
	}()
	l.stopLast = func() {
		stop()
		<-ended
	}
	select {
	case <-l.engine.Ready():
	case <-ended:
		return failed
	case <-ctx.Done():
		return ctx.Err()
	}
	l.ask = engine{l.engine.HTTPAddr()}
	return l.startParts(ctx)
}

func (l *lab) startParts(ctx context.Context) (err error) {
	place := Place{Dir: l.dir, Key: key, ClickHouse: "clickhouse://" + l.engine.TCPAddr() + "/sluice"}
	if l.broker, err = startPart(ctx, partBroker, place); err != nil {
		return err
	}
	place.Broker = l.broker.addr
	if err := createTopics(ctx, place.Broker); err != nil {
		return err
	}
	if l.consumer, err = startPart(ctx, partConsumer, place); err != nil {
		return err
	}
	l.gateway, err = startPart(ctx, partGateway, place)
	return err
}

func createTopics(ctx context.Context, broker string) error {
	conn := kafkaconn.Config{Brokers: []string{broker}, Topic: "events", DeadTopic: "events.dead"}
	layout := topics.Config{
		Partitions: partitions, Replication: 1, MinISR: 1, Retention: settings.Duration(24 * time.Hour),
	}
	admin, closeAdmin, err := topics.New(conn, layout, io.Discard)
	if err != nil {
		return err
	}
	defer closeAdmin()
	return admin.Create(ctx)
}

func (l *lab) stop() {
	for _, p := range []*process{l.gateway, l.consumer, l.broker} {
		if p != nil {
			p.stop()
		}
	}
	if l.stopLast != nil {
		l.stopLast()
	}
}

// sample is what a stretch of time cost.
type sample struct {
	seconds float64
	sent    load.Report
	logged  float64 // bytes that Kafka's log grew
	counters

	gateway, broker, consumer, engine Usage
}

// reading is the state of all counters at a moment.
type reading struct {
	at       time.Time
	use      [4]Usage
	counters counters
	log      float64
}

func (l *lab) read(ctx context.Context) (r reading, err error) {
	if r.counters, err = l.ask.counters(ctx); err != nil {
		return r, err
	}
	if r.log, err = l.logBytes(); err != nil {
		return r, err
	}
	r.at = time.Now()
	pids := [4]int{l.gateway.cmd.Process.Pid, l.broker.cmd.Process.Pid, l.consumer.cmd.Process.Pid, l.engine.PID()}
	for i, pid := range pids {
		if r.use[i], err = UsageOf(pid); err != nil {
			return r, err
		}
	}
	return r, nil
}

// during measures what passes while do runs, and until its events are rows.
func (l *lab) during(ctx context.Context, do func() (load.Report, error)) (s sample, err error) {
	before, err := l.read(ctx)
	if err != nil {
		return s, err
	}
	if s.sent, err = do(); err != nil {
		return s, err
	}
	l.rows += float64(s.sent.Accepted)
	if err := l.drained(ctx); err != nil {
		return s, err
	}
	after, err := l.read(ctx)
	if err != nil {
		return s, err
	}
	s.logged = after.log - before.log
	s.seconds = after.at.Sub(before.at).Seconds()
	s.counters = after.counters.since(before.counters)
	for i, use := range []*Usage{&s.gateway, &s.broker, &s.consumer, &s.engine} {
		*use = after.use[i].Since(before.use[i])
	}
	return s, nil
}

// drainPatience is how long the consumer may take until it has inserted everything.
const drainPatience = 2 * time.Minute

// drained waits until every event is a row and nothing is merged.
func (l *lab) drained(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; {
		rows, err := l.ask.number(ctx, "SELECT count() FROM "+rowsTable)
		if err != nil {
			return err
		}
		merges, err := l.ask.number(ctx, "SELECT count() FROM system.merges")
		switch {
		case err != nil:
			return err
		case rows >= l.rows && merges == 0:
			return nil
		case time.Since(begin) > drainPatience:
			return fmt.Errorf("after %s %.0f of %.0f events are in ClickHouse, and it still merges", drainPatience, rows, l.rows)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// send sends events through the pipeline.
func (l *lab) send(ctx context.Context, cfg load.Config) (sample, error) {
	cfg.URL, cfg.Key, cfg.JSON = "http://"+l.gateway.addr, key, true
	return l.during(ctx, func() (load.Report, error) {
		report, err := load.New(cfg, io.Discard, io.Discard).Run(ctx)
		if err == nil && report.Interrupted {
			err = ctx.Err()
		}
		if err == nil && !report.OK() {
			err = errors.New("the gateway refused events")
		}
		return report, err
	})
}

// logBytes is the size of the events' topic in the broker's log.
func (l *lab) logBytes() (size float64, err error) {
	err = filepath.WalkDir(filepath.Join(l.dir, "kafka", "partitions"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // no record yet, or a segment was removed
		}
		if err != nil || entry.IsDir() || !strings.HasPrefix(filepath.Base(filepath.Dir(path)), "events-") {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			size += float64(info.Size())
		}
		return err
	})
	return size, err
}
