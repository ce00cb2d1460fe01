package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"sluice/internal/console/series"
)

// lagNoticed is the lag that is a problem. The service level is that events are queryable within 60 s.
const lagNoticed = 60 * time.Second

// severities of a problem
const (
	critical = "critical" // somebody must act
	warning  = "warning"
)

// problem is one line of the page's banner.
type problem struct {
	Severity string `json:"severity"`
	// Text says what is wrong. Hint says what to do or to expect.
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

// recent is what happened between two samples.
type recent struct {
	counts map[string]float64
	errors map[string]float64 // failed requests to Kafka, by reason
}

// problems lists what is wrong, the worst first.
func problems(gateway series.Reading, gathering error, samples []recent, consumers []consumer) []problem {
	out := []problem{}
	if gathering != nil {
		out = append(out, problem{critical, "This gateway cannot read its own metrics: " + gathering.Error(), ""})
	}
	sum := recent{counts: map[string]float64{}, errors: map[string]float64{}}
	for _, s := range samples {
		add(sum.counts, s.counts)
		add(sum.errors, s.errors)
	}
	out = append(out, kafkaProblems(gateway, sum)...)
	out = append(out, gatewayProblems(gateway)...)
	out = append(out, consumerProblems(consumers)...)
	if n := sum.counts["dead"]; n > 0 {
		out = append(out, problem{warning, count(n, "record", "records") + " became dead letters in the last 15 s.",
			"sluice dead list shows them and their reasons."})
	}
	slices.SortStableFunc(out, func(a, b problem) int { return strings.Compare(a.Severity, b.Severity) })
	return out
}

func add(to, from map[string]float64) {
	for k, v := range from {
		to[k] += v
	}
}

// kafkaProblems says what does not reach Kafka.
func kafkaProblems(gateway series.Reading, sum recent) []problem {
	failed, reasons := 0.0, []string{}
	for _, reason := range slices.Sorted(maps.Keys(sum.errors)) {
		if n := sum.errors[reason]; n > 0 {
			failed += n
			reasons = append(reasons, strings.ReplaceAll(reason, "_", " "))
		}
	}
	refused, waiting := sum.counts["unavailable"], gateway.Gauge("sluice_gateway_spool_events")
	var out []problem
	switch {
	case failed > 0:
		p := problem{critical, fmt.Sprintf("Kafka does not take everything: %s failed in the last 15 s (%s).",
			count(failed, "request to it", "requests to it"), strings.Join(reasons, ", ")),
			"Check that the brokers run and that this gateway reaches them."}
		if refused > 0 {
			p.Hint = fmt.Sprintf("Senders were answered 503 for %s and send again. %s", count(refused, "event", "events"), p.Hint)
		} else if sum.counts["accepted"] > 0 {
			p.Severity = warning
		}
		out = append(out, p)
	case refused > 0:
		out = append(out, problem{critical, "Senders were answered 503 for " + count(refused, "event", "events") +
			" in the last 15 s.", "The gateway is overloaded, drains, or waits for Kafka. Its log says which."})
	}
	if waiting > 0 {
		out = append(out, problem{warning, fmt.Sprintf("%s in the spool, the oldest for %s.",
			count(waiting, "event waits", "events wait"), age(gateway.Gauge("sluice_gateway_spool_oldest_seconds"))),
			"They are on disk, and sent when Kafka takes them."})
	}
	return out
}

func gatewayProblems(gateway series.Reading) []problem {
	var out []problem
	if gateway.Gauge("sluice_gateway_projects_file_broken") > 0 {
		out = append(out, problem{warning, "The projects file is broken; the last good one stays in force.",
			"gateway check names the fault."})
	}
	if gateway.Has("sluice_gateway_limit_store_up") && gateway.Gauge("sluice_gateway_limit_store_up") == 0 {
		out = append(out, problem{warning, "The limit store does not answer.",
			"This gateway applies its share of the limits until the store is back."})
	}
	return out
}

// blockedText says what partitions of a consumer wait for.
var blockedText = map[string]string{
	"clickhouse":   "ClickHouse, which is away or overloaded",
	"setup":        "ClickHouse's schema, rights or settings; the consumer's log has a hint",
	"dead_letters": "the dead-letter topic, which does not take a record",
	"kafka":        "Kafka",
}

func consumerProblems(consumers []consumer) []problem {
	var out []problem
	for _, c := range consumers {
		if !c.Up {
			out = append(out, problem{critical, fmt.Sprintf("The %s does not answer: %s.", called(c), c.Error),
				"Its lag and rows are not in these numbers."})
			continue
		}
		for _, reason := range c.Blocked {
			what := blockedText[reason]
			if what == "" {
				what = reason
			}
			out = append(out, problem{critical, fmt.Sprintf("Partitions of the %s wait for %s.", called(c), what),
				"Nothing is lost: events stay on Kafka."})
		}
		if c.LagSeconds > lagNoticed.Seconds() {
			out = append(out, problem{warning, fmt.Sprintf("The %s is behind: its oldest event has waited for %s.",
				called(c), age(c.LagSeconds)), "If the lag grows, add consumers, up to one a partition."})
		}
	}
	return out
}

// called names a consumer. The one in this process is the only one.
func called(c consumer) string {
	if !strings.Contains(c.Address, ":") {
		return "consumer"
	}
	return "consumer " + c.Address
}

func count(n float64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%.0f %s", n, many)
}

func age(seconds float64) string {
	return (time.Duration(seconds) * time.Second).String()
}
