package console

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"sluice/internal/console/scrape"
	"sluice/internal/console/series"
)

// recently is how many samples a problem looks back.
const recently = 3

// sampler reads all processes and compares each with its reading before.
type sampler struct {
	cfg     Config
	targets *scrape.Targets
	client  *scrape.Client

	gateway   reading
	consumers map[string]reading // by address
	recent    []recent           // the last samples, the newest last
}

// reading is what a process said, and when.
type reading struct {
	series.Reading
	at time.Time
}

func newSampler(cfg Config) *sampler {
	return &sampler{
		cfg: cfg, targets: scrape.NewTargets(cfg.Consumers), client: scrape.NewClient(), consumers: map[string]reading{},
	}
}

// take reads everything. It returns no values for the first sample, which has nothing to compare with.
func (s *sampler) take(ctx context.Context, now time.Time) (map[string]float64, view) {
	answers := s.ask(ctx, now)
	v := view{At: now.UnixMilli(), Consumers: []consumer{}}
	values := map[string]float64{}
	happened := recent{counts: map[string]float64{}, errors: map[string]float64{}}

	gathered, err := series.Gather(s.cfg.Gateway)
	first := s.gateway.Reading == nil
	if err == nil {
		if !first {
			gatewayValues(values, happened, s.gateway, reading{gathered, now})
		}
		s.gateway = reading{gathered, now}
		v.Totals.ofGateway(gathered)
	}
	all := together(s.consumers, answers)
	if !first {
		all.values(values)
	}
	all.view(&v)
	s.consumers = all.next
	happened.counts["dead"] = all.dead()

	if first {
		values = nil
	} else {
		s.recent = append(s.recent, happened)
		s.recent = s.recent[max(0, len(s.recent)-recently):]
	}
	v.Problems = problems(s.gateway.Reading, err, s.recent, v.Consumers)
	return values, v
}

// ask returns what all consumers answer, those in this process first.
func (s *sampler) ask(ctx context.Context, now time.Time) []answer {
	var out []answer
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Local)) {
		r, err := series.Gather(s.cfg.Local[name])
		out = append(out, answer{name, err, reading{r, now}})
	}
	for _, a := range s.client.Ask(ctx, s.targets.At(ctx, now)) {
		if a.Err == nil && !a.Reading.Has("sluice_consumer_rows_inserted_total") {
			a.Err = errors.New("answered with the metrics of another program; --console-consumers takes admin ports of consumers")
		}
		out = append(out, answer{a.Address, a.Err, reading{a.Reading, time.Now()}})
	}
	return out
}

// gatewayValues adds the numbers of the gateway to values, and what went wrong to happened.
func gatewayValues(values map[string]float64, happened recent, before, now reading) {
	seconds := now.at.Sub(before.at).Seconds()
	counts := func(name, label string) map[string]float64 {
		return series.Increase(before.Reading, now.Reading, name, label)
	}
	rates := func(prefix, name, label string) (sum float64) {
		for of, n := range counts(name, label) {
			values[prefix+of] += n / seconds
			sum += n
		}
		return sum
	}
	for status, n := range counts("sluice_gateway_requests_total", "status") {
		values["requests.answer/"+class(status)] += n / seconds
	}
	rates("requests.route/", "sluice_gateway_requests_total", "route")
	happened.counts["accepted"] = rates("accepted.protocol/", "sluice_gateway_events_accepted_total", "protocol")
	rates("refused.protocol/", "sluice_gateway_events_rejected_total", "protocol")
	refused := counts("sluice_gateway_events_rejected_total", "reason")
	all := 0.0
	for reason, n := range refused {
		values["refused.reason/"+reason] = n / seconds
		all += n
	}
	values["refused"], values["accepted"] = all/seconds, happened.counts["accepted"]/seconds
	happened.counts["unavailable"] = refused["unavailable"]
	for reason, n := range counts("sluice_gateway_publish_errors_total", "reason") {
		values["publish.errors/"+reason] = n / seconds
		happened.errors[reason] += n
	}
	quantiles(values, "publish", series.Observed(before.Reading, now.Reading, "sluice_gateway_publish_duration_seconds"))
	quantiles(values, "answer", series.Observed(before.Reading, now.Reading, "sluice_gateway_request_duration_seconds"))
	values["bytes.inflight"] = now.Gauge("sluice_gateway_inflight_bytes")
	values["bytes.spool"] = now.Gauge("sluice_gateway_spool_bytes")
	happened.counts["spooled"] = now.Gauge("sluice_gateway_spool_events") - before.Gauge("sluice_gateway_spool_events")
}

func quantiles(values map[string]float64, name string, of series.Histogram) {
	if of.Total() > 0 {
		values[name+".p50"], values[name+".p99"] = of.Quantile(.5), of.Quantile(.99)
	}
}

// class groups statuses into those that the page tells apart.
func class(status string) string {
	switch {
	case status == "429" || status == "":
		return status
	default:
		return status[:1] + "xx"
	}
}

// finite returns a number that JSON can hold: 0 for NaN.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
