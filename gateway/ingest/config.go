package ingest

import (
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/clientaddr"
	"sluice/gateway/outcomes"
	"sluice/gateway/publish"
	"sluice/internal/tracing"
)

// Config is what an ingester needs. Every number of 0 but MaxEventBytes and MaxBulkBytes sets no bound.
type Config struct {
	// Projects are those in force.
	Projects  *Projects
	Publisher *publish.Publisher
	Metrics   *Metrics
	// Outcomes counts refused events, see package outcome.
	Outcomes *outcomes.Counter
	// Now is the clock of the rate limits and of received-at.
	Now func() time.Time
	// Debug notes the project of every request, not only of refused ones, for the log.
	Debug bool
	// RequestTimeout is how long a request waits for Kafka.
	RequestTimeout time.Duration
	// PartitionBy is none, project or event_id.
	PartitionBy string
	// MaxEventBytes and MaxBulkBytes bound bodies, before and after decompression.
	MaxEventBytes, MaxBulkBytes int
	// MaxBodyBytes bounds all bodies in memory together.
	MaxBodyBytes int64
	// BodySilence is how long a client may send nothing in the middle of a body. 0 is the default.
	BodySilence time.Duration
	// MaxInflightRequests bounds the requests under way.
	MaxInflightRequests int
	// FailedKeysPerMinute is how many unknown keys an address may send in a minute.
	FailedKeysPerMinute int
	// TrustedProxies are the networks whose X-Forwarded-For counts. They must be well-formed.
	TrustedProxies []string
	// Tracer traces requests. nil traces none.
	Tracer *tracing.Tracer
	// Topic is the name of the topic, and Route returns the template of a request's path, for traces.
	Topic string
	Route func(ctx *fasthttp.RequestCtx) string
}

// New makes an ingester. It opens nothing and starts nothing.
func New(cfg Config) (*Ingester, error) {
	in := &Ingester{
		projects: cfg.Projects, publisher: cfg.Publisher, metrics: cfg.Metrics, outcomes: cfg.Outcomes, now: cfg.Now,
		traces: traces{tracer: cfg.Tracer, send: "send " + cfg.Topic, topic: cfg.Topic, route: cfg.Route},
		debug:  cfg.Debug, requestTimeout: cfg.RequestTimeout, partitionBy: cfg.PartitionBy, maxEventBytes: cfg.MaxEventBytes,
		overload: overload{
			max: int64(cfg.MaxInflightRequests), congested: cfg.Publisher.Congested, metrics: cfg.Metrics,
		},
	}
	var err error
	if in.proxies, err = clientaddr.Parse(cfg.TrustedProxies); err != nil {
		return nil, err
	}
	if n := cfg.FailedKeysPerMinute; n > 0 {
		in.failedKeys = newFailedKeys(n, cfg.Now())
	}
	in.bodies, err = body.NewPool(body.Config{
		Budget: cfg.MaxBodyBytes, Largest: max(cfg.MaxEventBytes, cfg.MaxBulkBytes), Silence: cfg.BodySilence,
		Refused: func() { in.TurnedAway(LimitBodyBytes) },
	})
	if err != nil {
		return nil, err
	}
	in.eventLimit = newBodyLimit(in.bodies, cfg.MaxEventBytes, LimitEventBytes)
	in.bulkLimit = newBodyLimit(in.bodies, cfg.MaxBulkBytes, LimitBulkBytes)
	return in, nil
}

// UnderWay returns how many requests are being read or wait for Kafka.
func (in *Ingester) UnderWay() int64 { return in.overload.requests.Load() }

// BodyBytes returns how many bytes the bodies hold now, without the first 8 KiB of each.
func (in *Ingester) BodyBytes() int64 { return in.bodies.Used() }

// BulkBytes returns the size of the largest body.
func (in *Ingester) BulkBytes() int { return in.bulkLimit.bytes }

// BulkTooLarge refuses a body that is larger than bulkBytes.
func (in *Ingester) BulkTooLarge() *Problem { return in.bulkLimit.exceeded("The body is larger than") }

// TurnedAway counts a refusal that keeps the gateway from harm. limit is one of the names above.
func (in *Ingester) TurnedAway(limit string) { in.metrics.turnedAway(limit) }

// AnyOrigin sets the CORS headers of a request whose project is not known yet. It reports whether any project takes
// events from pages of the request's origin.
func (in *Ingester) AnyOrigin(ctx *fasthttp.RequestCtx) bool {
	return in.projects.Load().origins.answer(ctx)
}

// GeneralOrigins sets the CORS headers that hold for every origin.
func (in *Ingester) GeneralOrigins(ctx *fasthttp.RequestCtx) { in.projects.Load().origins.general(ctx) }
