package console

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/console/series"
)

const (
	// interval is the time between two samples, and samples is how many are kept: an hour.
	interval = 5 * time.Second
	samples  = int(time.Hour / interval)
)

// Config says what a console shows.
type Config struct {
	// Gateway has the metrics of this process.
	Gateway prometheus.Gatherer
	// Consumers are the admin addresses of consumers, host:port. A name with several addresses stands for all of them.
	Consumers []string
	// Local are consumers in this process, by the name to show.
	Local map[string]prometheus.Gatherer
	// Version is the program's version.
	Version string
	// Explore answers /console/events, /console/issues, /console/examples and /console/query. Without it the page shows
	// charts only.
	Explore http.Handler
	// Try is a command that sends an event, for readers who have none yet. It belongs to Explore.
	Try string
	// NoExplore tells the reader why there is no Explore.
	NoExplore string
}

// Console takes samples and serves the page.
type Console struct {
	cfg     Config
	started time.Time
	store   *series.Store

	mu   sync.Mutex
	view view
}

// New returns a console. It takes no sample before [Console.Around].
func New(cfg Config) *Console {
	return &Console{cfg: cfg, started: time.Now(), store: series.NewStore(samples)}
}

// Around runs run, and takes samples until run returns. It returns run's error.
func (c *Console) Around(ctx context.Context, run func(context.Context) error) error {
	sampling, stop := context.WithCancel(ctx)
	var sampler sync.WaitGroup
	sampler.Go(func() { c.sample(sampling) })
	defer sampler.Wait()
	defer stop()
	return run(ctx)
}

// sample takes a sample at once, against which the next one counts, and then one every interval.
func (c *Console) sample(ctx context.Context) {
	s := newSampler(c.cfg)
	defer s.client.Close()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for now := time.Now(); ctx.Err() == nil; {
		values, view := s.take(ctx, now)
		if values != nil {
			c.store.Add(now, values)
		}
		c.mu.Lock()
		c.view = view
		c.mu.Unlock()
		select {
		case <-ctx.Done():
		case now = <-tick.C:
		}
	}
}

func (c *Console) now() view {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.view
}
