package load

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"golang.org/x/sync/errgroup"

	"sluice/internal/backoff"
)

// Runner makes one run.
type Runner struct {
	cfg      Config
	out      io.Writer
	progress io.Writer
	// open opens the store of the rows, dial connects to the gateway. Tests replace both.
	open func(dsn string) (store, error)
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// New prepares a run. It opens nothing. Run prints the report to out, and its progress to progress: a bar on a
// terminal, else a line every few seconds. With Config.JSON it prints no progress.
func New(cfg Config, out, progress io.Writer) *Runner {
	return &Runner{cfg: cfg.withDefaults(), out: out, progress: progress, open: openClickHouse,
		dial: (&net.Dialer{}).DialContext}
}

// run is the state that the workers of a run share.
type run struct {
	cfg      Config
	gen      contents
	end      *endpoint
	source   *source
	gate     *gate
	ledger   *ledger
	tally    *tally
	progress *progress
	once     sync.Once
}

// grace is how long current requests may take after the run was told to stop.
const grace = 3 * time.Second

// Run sends the events, verifies them if Config.Verify, prints the report and returns it. Report.OK is the verdict. Run
// returns an error if it has nothing to report: for faulty settings, if the gateway never answers or refuses the key,
// or if --verify cannot query ClickHouse.
//
// If ctx ends during sending, Run sends no more events, and still verifies and reports the acknowledged ones. To end
// that as well, the caller ends the process. If ctx ends during verifying, verifying ends.
func (r *Runner) Run(ctx context.Context) (Report, error) {
	if err := r.cfg.Validate(); err != nil {
		return Report{}, err
	}
	start := time.Now()
	gen, origin, err := newContents(r.cfg, start)
	if err != nil {
		return Report{}, err
	}
	if r.cfg.Write != "" {
		return r.write(ctx, gen, origin)
	}
	rows, err := r.connect(ctx, gen.name())
	if err != nil {
		return Report{}, err
	}
	if rows != nil {
		defer func() { _ = rows.close() }()
	}
	file, err := r.createLedger()
	if err != nil {
		return Report{}, err
	}
	if file != nil {
		defer func() { _ = file.Close() }()
	}
	state, err := r.newRun(gen, start)
	if err != nil {
		return Report{}, err
	}
	if err := state.send(ctx); err != nil {
		return Report{}, err
	}
	report := state.tally.report()
	report.Origin = origin
	report.PausedSeconds = state.gate.paused().Seconds()
	report.Interrupted = ctx.Err() != nil
	if file != nil {
		if err := state.writeLedger(file); err != nil {
			return report, err
		}
	}
	if rows != nil {
		if report.Interrupted {
			ctx = context.WithoutCancel(ctx)
		}
		report.Verify = state.verify(ctx, rows, report.Accepted)
	}
	report.Passed = report.OK()
	return report, r.print(report)
}

func (r *Runner) print(report Report) error {
	if r.cfg.JSON {
		return report.writeJSON(r.out)
	}
	return report.writeText(r.out)
}

// connect checks, before the first event, that the rows will be readable.
func (r *Runner) connect(ctx context.Context, run string) (store, error) {
	if !r.cfg.Verify {
		return nil, nil
	}
	rows, err := r.open(r.cfg.ClickHouse)
	if err != nil {
		return nil, err
	}
	if _, err := rows.count(ctx, run); err != nil {
		_ = rows.close()
		return nil, fmt.Errorf("--verify cannot read the events: %w", err)
	}
	return rows, nil
}

func (r *Runner) newRun(gen contents, start time.Time) (*run, error) {
	end, err := newEndpoint(r.cfg, r.dial)
	if err != nil {
		return nil, err
	}
	g := &gate{}
	return &run{
		cfg: r.cfg, gen: gen, end: end, gate: g,
		source: newSource(r.cfg, start, g), ledger: &ledger{}, tally: newTally(start), progress: newProgress(r.cfg,
			r.progress),
	}, nil
}

// send runs the workers until all events are settled or ctx ends. An event is settled once it is acknowledged or
// refused for good.
func (r *run) send(ctx context.Context) error {
	beside, done := context.WithCancel(context.WithoutCancel(ctx))
	workers, sending := errgroup.WithContext(ctx)
	var side errgroup.Group
	side.Go(func() error {
		r.progress.follow(beside, r.tally)
		return nil
	})
	side.Go(func() error {
		<-sending.Done() // stopped, failed or finished
		if backoff.Sleep(beside, grace) {
			r.end.cutAll()
		}
		return nil
	})
	for range r.cfg.Connections {
		w := &worker{run: r, exchange: newExchange(r.end)}
		workers.Go(func() error { return w.work(sending) })
	}
	err := workers.Wait()
	done()
	_ = side.Wait() // neither returns an error
	return err
}

func (r *Runner) createLedger() (*os.File, error) {
	if r.cfg.Ledger == "" {
		return nil, nil
	}
	f, err := os.Create(r.cfg.Ledger)
	if err != nil {
		return nil, fmt.Errorf("--ledger: %w", err)
	}
	return f, nil
}

// writeLedger writes a line for each event that source handed out.
func (r *run) writeLedger(f *os.File) error {
	w := bufio.NewWriter(f)
	var body []byte
	r.ledger.each(r.source.claimed(), func(index int64, m mark) {
		body = r.gen.append(body[:0], index)
		_, _ = fmt.Fprintf(w, "%s\t%s\t%016x\n", shownID(r.gen.id(index)), m,
			xxhash.Sum64(body)) // Flush returns the first error
	})
	if err := w.Flush(); err != nil {
		return fmt.Errorf("--ledger: %w", err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("--ledger: %w", err)
	}
	return nil
}
