package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"sluice/internal/load"
	"sluice/internal/plan"
)

// Config says where to measure.
type Config struct {
	// TempDir is where the folder of the pipeline's data is made, about 500 MB, for the time of the measurement. Empty:
	// the system's folder for temporary files.
	TempDir string
	// Progress gets a line for each stage. Nil shows nothing.
	Progress io.Writer
	// Part shortens every stage to this share of its time and events, 0 to 1. 0 is 1. Tests use it.
	Part float64
}

// The sizes of events at which is measured, and how much is sent at each.
var sizes = []struct{ bytes, bulked, zipped int }{
	{200, 500_000, 200_000},
	{1400, 120_000, 60_000},
}

// rates are the rates of single events, in requests a second. The last stage sends as fast as possible.
var rates = []float64{100, 500, 3000, 8000}

const (
	stageLasts  = 6 * time.Second
	idleLasts   = 3 * time.Second
	bulk        = 1000
	pacedBulk   = 100
	pacedRate   = 200 * pacedBulk // events a second
	connections = 64
	warmEvents  = 20_000
)

// Run measures the figures of this machine, in about two minutes. Most of that time all processors are busy. Its error
// wraps embedded.ErrNoEngine if the machine cannot run ClickHouse, and ErrNoUsage if the system has no /proc.
//
// The program's main must have called embedded.Main and [Main].
func Run(ctx context.Context, cfg Config) (figures plan.Figures, err error) {
	if !mainCalled {
		return figures, errors.New("main must call measure.Main: without it this program cannot become a part")
	}
	if _, err := UsageOf(os.Getpid()); err != nil {
		return figures, err
	}
	dir, err := os.MkdirTemp(cfg.TempDir, "sluice-plan-")
	if err != nil {
		return figures, fmt.Errorf("create a folder for the measurement: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	if cfg.Part == 0 {
		cfg.Part = 1
	}
	s := &stages{lab: &lab{dir: dir}, cfg: cfg}
	defer s.lab.stop()
	s.say("starting broker, ClickHouse, gateway and consumer")
	if err := s.lab.start(ctx, cfg.Progress); err != nil {
		return figures, err
	}
	if err := s.run(ctx); err != nil {
		return figures, err
	}
	figures = s.fit()
	figures.Origin = fmt.Sprintf("measured on this machine on %s, %d cores, %s/%s",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	if err := figures.Check(); err != nil {
		return figures, fmt.Errorf("the measurement is unusable, run it again on a quieter machine: %w", err)
	}
	return figures, nil
}

// stages are the samples of a measurement.
type stages struct {
	lab *lab
	cfg Config

	idle   sample
	bySize []sized
}

// sized are the samples of one size of events.
type sized struct {
	singles    []sample // by rising rate; the last one as fast as possible
	bulk, gzip sample
	paced      sample // bulks at an ordinary rate
	merge      sample // merging everything once more
	rows       float64
	diskBytes  float64
}

func (s *stages) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.cfg.Progress, "sluice plan: "+format+"\n", args...)
}

func (s *stages) run(ctx context.Context) (err error) {
	s.say("idle")
	s.idle, err = s.lab.during(ctx, func() (load.Report, error) { return load.Report{}, s.wait(ctx) })
	if err != nil {
		return err
	}
	s.say("warming up")
	if _, err := s.lab.send(ctx, load.Config{Events: s.part(warmEvents), Connections: connections}); err != nil {
		return err
	}
	for _, size := range sizes {
		of, err := s.size(ctx, size.bytes, s.part(size.bulked), s.part(size.zipped))
		if err != nil {
			return err
		}
		s.bySize = append(s.bySize, of)
	}
	return nil
}

// size measures one size of events in an empty table.
func (s *stages) size(ctx context.Context, bytes, bulked, zipped int) (of sized, err error) {
	if _, err := s.lab.ask.ask(ctx, "TRUNCATE TABLE "+rowsTable); err != nil {
		return of, err
	}
	s.lab.rows = 0
	base := load.Config{EventSize: bytes}
	single, paced, bulks, gzip := base, base, base, base
	single.Duration, single.Connections = s.lasts(stageLasts), connections
	paced.Duration, paced.Rate, paced.Bulk = s.lasts(stageLasts), pacedRate, pacedBulk
	bulks.Events, bulks.Bulk = bulked, bulk
	gzip.Events, gzip.Bulk, gzip.Gzip = zipped, bulk, true
	of.singles = make([]sample, len(rates)+1)
	type stage struct {
		name string
		cfg  load.Config
		to   *sample
	}
	all := []stage{}
	for i, rate := range rates {
		slower := single
		slower.Rate = rate
		all = append(all, stage{fmt.Sprintf("single events, %.0f a second", rate), slower, &of.singles[i]})
	}
	for _, stage := range append(all,
		stage{"single events, as fast as possible", single, &of.singles[len(rates)]},
		stage{"200 bulks a second", paced, &of.paced},
		stage{"bulks, as fast as possible", bulks, &of.bulk},
		stage{"bulks with gzip, as fast as possible", gzip, &of.gzip},
	) {
		s.say("%d bytes: %s", bytes, stage.name)
		if *stage.to, err = s.lab.send(ctx, stage.cfg); err != nil {
			return of, err
		}
		if paused := stage.to.sent.PausedSeconds; paused > 1 {
			s.say("the machine is so busy that the gateway refused events for %.0f s: the figures are less exact", paused)
		}
	}
	s.say("%d bytes: merging the rows", bytes)
	of.merge, err = s.lab.during(ctx, func() (load.Report, error) {
		_, err := s.lab.ask.ask(ctx, "OPTIMIZE TABLE "+rowsTable+" FINAL")
		return load.Report{}, err
	})
	if err != nil {
		return of, err
	}
	of.rows = s.lab.rows
	of.diskBytes, err = s.lab.ask.number(ctx,
		"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'sluice' AND table = 'events_raw'")
	return of, err
}

func (s *stages) wait(ctx context.Context) error {
	timer := time.NewTimer(s.lasts(idleLasts))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stages) lasts(d time.Duration) time.Duration { return time.Duration(float64(d) * s.cfg.Part) }
func (s *stages) part(events int) int                 { return max(bulk, int(float64(events)*s.cfg.Part)) }
