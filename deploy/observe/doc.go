// Observe writes the dashboards and alerts of Sluice for Grafana and Prometheus.
//
// The dashboards are typed code, because their JSON is long and nobody reads it. The files that it makes are
// checked in, so that operators need no Go: grafana/dashboards for Grafana, and copies of these
// and of the rules in the Helm chart.
//
//	go run .                                  writes the files in the tree
//	go run . -runbook URL -out DIR            writes them elsewhere, with links to your own copy of docs/operations.md
//
// To change something, read:
//
//	alerts, recording rules               prometheus/rules.yaml, and their tests beside it
//	a dashboard                           edge.go, pipeline.go, consumer.go, clickhouse.go, analysts.go
//	what all panels have                  panel.go
//	variables, links, time                dashboard.go
//	queries to ClickHouse                 sql.go
package main
