package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// activityInterval is how often dev logs the number of events.
const activityInterval = 5 * time.Second

// activity counts events by outcome since the start.
type activity struct {
	accepted, rows float64
	rejected, dead map[string]float64 // by reason
}

// readActivity reads the counts from the metrics of gateway and consumer.
func readActivity(from []prometheus.Gatherer) (activity, error) {
	now := activity{rejected: map[string]float64{}, dead: map[string]float64{}}
	for _, registry := range from {
		families, err := registry.Gather()
		if err != nil {
			return now, fmt.Errorf("read the metrics: %w", err)
		}
		for _, family := range families {
			for _, m := range family.GetMetric() {
				now.add(family.GetName(), reasonOf(m), m.GetCounter().GetValue())
			}
		}
	}
	return now, nil
}

// add adds a counter, if it counts events.
func (a *activity) add(name, reason string, n float64) {
	switch name {
	case "sluice_gateway_events_accepted_total":
		a.accepted += n
	case "sluice_gateway_events_rejected_total":
		a.rejected[reason] += n
	case "sluice_consumer_rows_inserted_total":
		a.rows += n
	case "sluice_consumer_dead_letters_total":
		a.dead[reason] += n
	}
}

func reasonOf(m *dto.Metric) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == "reason" {
			return l.GetValue()
		}
	}
	return ""
}

// since returns the attributes to log about the events since before; none without events.
func (a activity) since(before activity) []any {
	rejected, why := increase(a.rejected, before.rejected)
	dead, whyDead := increase(a.dead, before.dead)
	accepted, rows := a.accepted-before.accepted, a.rows-before.rows
	if accepted+rejected+rows+dead == 0 {
		return nil
	}
	out := []any{"accepted", int64(accepted), "rejected", int64(rejected), "rows", int64(rows)}
	if rejected > 0 {
		out = append(out, "rejected_for", why)
	}
	if dead > 0 {
		out = append(out, "dead_letters", int64(dead), "dead_for", whyDead)
	}
	return out
}

// increase returns the sum of the increases, and a text with the increase of each reason.
func increase(now, before map[string]float64) (all float64, text string) {
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(now)) {
		if n := now[reason] - before[reason]; n > 0 {
			all += n
			parts = append(parts, fmt.Sprintf("%s=%d", reason, int64(n)))
		}
	}
	return all, strings.Join(parts, " ")
}

// logActivity logs the events of each interval: one line, or none without events. It logs the rest when it stops.
func logActivity(ctx context.Context, log *slog.Logger, interval time.Duration, from []prometheus.Gatherer) error {
	var before activity // the counters are as new as the process: what came before this loop is in its first line
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		stopped := false
		select {
		case <-ctx.Done():
			stopped = true
		case <-tick.C:
		}
		now, err := readActivity(from)
		if err != nil {
			return err
		}
		if line := now.since(before); line != nil {
			log.Info("events", line...)
		}
		if before = now; stopped {
			return nil
		}
	}
}
