package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// runbookInTree is where the runbook is in the tree, and what -runbook replaces.
const runbookInTree = "docs/operations.md"

// Types of the datasources, which are plugins of Grafana.
const (
	typePrometheus = "prometheus"
	typeClickHouse = "grafana-clickhouse-datasource"
)

// tag is what all dashboards have, so that they link to each other.
const tag = "sluice"

// board is one dashboard.
type board struct {
	uid, title, about string
	from              string // the time range is from here to now
	variables         []variable
	rows              []row
}

// row is a heading with the panels below it. Panels fill lines of 24 columns.
type row struct {
	title  string
	panels []panel
}

// dashboards lists all of them.
func dashboards() []board {
	return []board{pipelineBoard(), edgeBoard(), consumerBoard(), clickhouseBoard(), analystsBoard()}
}

// build returns the dashboard as Grafana reads it.
func (b board) build() (dashboard.Dashboard, error) {
	d := dashboard.NewDashboardBuilder(b.title).Uid(b.uid).Description(b.about).Tags([]string{tag}).
		Timezone("browser").Refresh("30s").Time(b.from, "now").Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Link(dashboard.NewDashboardLinkBuilder("Sluice").Type(dashboard.DashboardLinkTypeDashboards).
			Tags([]string{tag}).AsDropdown(true).KeepTime(true)).
		Link(dashboard.NewDashboardLinkBuilder("Runbook").Type(dashboard.DashboardLinkTypeLink).
			Icon("doc").TargetBlank(true).Url(runbookInTree + "#alerts"))
	for _, v := range b.variables {
		d.WithVariable(v)
	}
	id := uint32(0)
	for _, r := range b.rows {
		id++
		d.WithRow(dashboard.NewRowBuilder(r.title).Id(id))
		for _, p := range r.panels {
			id++
			d.WithPanel(p.builder(id))
		}
	}
	return d.Build()
}

// variable is one of Grafana's builders of variables.
type variable interface {
	Build() (dashboard.VariableModel, error)
}

// datasource is the variable with which the reader picks a datasource.
func datasource(name, label, plugin string) variable {
	return dashboard.NewDatasourceVariableBuilder(name).Label(label).Type(plugin)
}

// Every panel takes its datasource from one of these variables.
var (
	pickPrometheus = datasource("prometheus", "Prometheus", typePrometheus)
	pickClickHouse = datasource("clickhouse", "ClickHouse", typeClickHouse)
)

func ref(plugin, variable string) common.DataSourceRef {
	uid := "${" + variable + "}"
	return common.DataSourceRef{Type: &plugin, Uid: &uid}
}

func prometheusRef() common.DataSourceRef { return ref(typePrometheus, "prometheus") }
func clickhouseRef() common.DataSourceRef { return ref(typeClickHouse, "clickhouse") }

// pick is a variable with the values of a query; the reader picks several or all of them.
func pick(name, label, query string, from common.DataSourceRef) *dashboard.QueryVariableBuilder {
	return dashboard.NewQueryVariableBuilder(name).Label(label).Query(dashboard.StringOrMap{String: &query}).
		Datasource(from).Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Sort(dashboard.VariableSortAlphabeticalAsc).Multi(true).IncludeAll(true).Current(all())
}

func all() dashboard.VariableOption {
	text, value := "All", "$__all"
	return dashboard.VariableOption{
		Text: dashboard.StringOrArrayOfString{String: &text}, Value: dashboard.StringOrArrayOfString{String: &value},
	}
}

// namespaces picks installations. Outside Kubernetes there is no namespace, and all matches.
func namespaces() variable {
	return pick("namespace", "Namespace", "label_values(sluice_build_info, namespace)", prometheusRef()).AllValue(".*")
}

// instances picks processes of a program.
func instances(program string) variable {
	query := `label_values(sluice_build_info{program="` + program + `", namespace=~"$namespace"}, instance)`
	return pick("instance", "Instance", query, prometheusRef()).AllValue(".*")
}

// runbook is the link to an alert's entry.
func runbook(alert string) string { return runbookInTree + "#" + strings.ToLower(alert) }
