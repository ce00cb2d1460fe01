package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/internal/console"
	"sluice/internal/console/explore"
	"sluice/internal/embedded"
	"sluice/internal/process"
)

// console returns the page with the charts of both programs. Events, issues and SQL need a user who can only read,
// which the embedded ClickHouse has.
func (d *dev) console(gateway prometheus.Gatherer) *console.Console {
	cfg := console.Config{
		Gateway: gateway, Local: map[string]prometheus.Gatherer{"consumer": d.rows}, Version: "sluice dev " + process.VersionText(),
		Try: d.trial(), NoExplore: "Events, issues and SQL are shown when sluice dev runs its own ClickHouse.",
	}
	if d.engine != nil {
		cfg.Explore = explore.New(explore.Config{
			Addr: d.engine.HTTPAddr(), User: embedded.Reader, Database: "sluice",
		})
	}
	return console.New(cfg)
}

// trial is a command that sends an event.
func (d *dev) trial() string {
	key := demoKey
	if d.cmd.Gateway.ProjectsFile != "" {
		key = "$KEY"
	}
	return fmt.Sprintf("curl -i http://%s/api/v1/events -H 'Authorization: Bearer %s' "+
		"-H 'Content-Type: application/json' -d '{\"message\":\"hello from curl\",\"level\":\"info\"}'",
		d.cmd.Gateway.HTTPAddr, key)
}

// outcomesQuery has no quotes, which a shell would take.
const outcomesQuery = "SELECT project_id, protocol, outcome, reason, sum(events) AS events FROM outcomes GROUP BY ALL ORDER BY ALL"

// printReady prints commands to try the pipeline with.
func (d *dev) printReady() {
	_, _ = fmt.Fprintf(d.out, "console: http://%s/\n\nready in %s\n\nsend an event:\n  %s\n",
		d.cmd.Process.AdminAddr, time.Since(d.start).Round(100*time.Millisecond), d.trial())
	query := "SELECT received_at, project_id, event_id, level, message FROM events ORDER BY received_at DESC LIMIT 10"
	if d.cmd.ClickHouseAddr != "" {
		_, _ = fmt.Fprintf(d.out, "\nsee it, a second later:\n"+
			"  curl 'http://%s/?database=sluice' --data-binary '%s FORMAT PrettyCompact'\n\n"+
			"see what became of everything that was sent:\n"+
			"  curl 'http://%s/?database=sluice' --data-binary '%s FORMAT PrettyCompact'\n\n"+
			"ClickHouse's own console: http://%s/play\n",
			d.cmd.ClickHouseHTTPAddr, query, d.cmd.ClickHouseHTTPAddr, outcomesQuery, d.cmd.ClickHouseHTTPAddr)
	} else {
		query = strings.Replace(query, "FROM events", "FROM "+d.database+".events", 1)
		_, _ = fmt.Fprintf(d.out, "\nsee it, a second later, in your ClickHouse:\n  %s\n", query)
	}
	if d.cmd.KafkaAddr == "" {
		_, _ = fmt.Fprintf(d.out, "\nin your Kafka: topics %s and %s, group %s\n", d.cmd.Kafka.Topic,
			d.cmd.Kafka.DeadTopic, d.cmd.Consumer.Group)
	}
	_, _ = fmt.Fprintln(d.out, "\nCtrl-C drains and stops.")
}
