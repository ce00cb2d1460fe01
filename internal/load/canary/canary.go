package canary

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"sluice/internal/backoff"
)

// Config says where events go and what is in time.
type Config struct {
	// URL is that of the gateway, and Key is of the project.
	URL, Key string
	// Project is the id of the key's project; "": unknown. It makes the questions cheaper.
	Project string
	// ClickHouse is a DSN. The user needs SELECT on events_raw.
	ClickHouse string
	// Every is the time between two events, at least 1 s.
	Every time.Duration
	// LateAfter is the time after which an event that is not queryable is a failure.
	LateAfter time.Duration
	// Timeout bounds one request to the gateway.
	Timeout time.Duration
}

// minEvery keeps a canary from being a load.
const minEvery = time.Second

// Check reports every fault of the settings.
func (c Config) Check() error {
	var faults []error
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		faults = append(faults, errors.New("--url: not an http or https URL"))
	}
	if c.Every < minEvery {
		faults = append(faults, fmt.Errorf("--every: at least %s", minEvery))
	}
	if c.LateAfter <= 0 {
		faults = append(faults, errors.New("--late-after: must be positive"))
	}
	if c.Timeout <= 0 {
		faults = append(faults, errors.New("--timeout: must be positive"))
	}
	return errors.Join(faults...)
}

// gateway takes events. send returns nil only if the event was accepted, and a *failure if it was not.
type gateway interface {
	send(ctx context.Context, id uuid.UUID) error
	close()
}

// table has the rows. present returns those of the events that can be queried.
type table interface {
	present(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]bool, error)
	close()
}

// Canary sends events and waits for their rows.
type Canary struct {
	cfg     Config
	gateway gateway
	table   table
	metrics *metrics

	accepted, queryable verdict

	mu      sync.Mutex
	pending []flight
	more    chan struct{} // has room for one: the sender has added an event
}

// flight is an event that was accepted and is not queryable yet.
type flight struct {
	id   uuid.UUID
	sent time.Time
	late bool
}

const (
	// giveUpAfter is how long an event is looked for.
	giveUpAfter = time.Hour
	// mostPending bounds how many events are looked for at a time.
	mostPending = 500
)

// New prepares a canary. It opens no connection. An error lists the faults of the settings.
func New(cfg Config, metrics prometheus.Registerer, log *slog.Logger) (*Canary, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	rows, err := openClickHouse(cfg)
	if err != nil {
		return nil, err
	}
	return newCanary(cfg, newGateway(cfg), rows, metrics, log), nil
}

func newCanary(cfg Config, to gateway, rows table, metrics prometheus.Registerer, log *slog.Logger) *Canary {
	return &Canary{
		cfg: cfg, gateway: to, table: rows, metrics: newMetrics(metrics), more: make(chan struct{}, 1),
		accepted:  verdict{log: log, good: "canary events are accepted", bad: "a canary event was not accepted"},
		queryable: verdict{log: log, good: "canary events are queryable", bad: "canary events are not queryable"},
	}
}

// Run sends events and looks for them until ctx ends.
func (c *Canary) Run(ctx context.Context) error {
	defer c.table.close()
	defer c.gateway.close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.sendAll(ctx) })
	group.Go(func() error { c.watch(ctx); return nil })
	return group.Wait()
}

func (c *Canary) sendAll(ctx context.Context) error {
	for next := time.Now(); ; {
		if err := c.sendOne(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		next = next.Add(c.cfg.Every)
		if late := time.Since(next); late > 0 {
			next = next.Add(late) // a request took longer than the time between two
		}
		if !backoff.Sleep(ctx, time.Until(next)) {
			return nil
		}
	}
}

// sendOne sends one event. The event counts as accepted only after 202: after another answer it may arrive all the
// same, and is not looked for.
func (c *Canary) sendOne(ctx context.Context) error {
	id, err := newID()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	began := time.Now()
	err = c.gateway.send(ctx, id)
	if ctx.Err() != nil {
		return nil
	}
	c.metrics.sent.Inc()
	if failed, ok := errors.AsType[*failure](err); ok {
		c.metrics.failures.WithLabelValues(failed.reason).Inc()
		c.accepted.is(false, "reason", failed.reason, "err", failed.err)
		return nil
	}
	if err != nil {
		return err
	}
	c.accepted.is(true, "took", time.Since(began).Round(time.Millisecond))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = append(c.pending, flight{id: id, sent: began})
	if len(c.pending) > mostPending {
		c.pending = c.pending[1:]
		c.metrics.failures.WithLabelValues(reasonLost).Inc()
	}
	c.metrics.inFlight.Set(float64(len(c.pending)))
	select {
	case c.more <- struct{}{}:
	default:
	}
	return nil
}
