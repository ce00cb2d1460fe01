package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Grafana's names of units.
const (
	unitShort   = "short"
	unitSeconds = "s"
	unitBytes   = "bytes"
	unitPercent = "percentunit"
	unitEvents  = "events/s"
	unitRows    = "rows/s"
	unitReqs    = "reqps"
	unitOps     = "ops"
	unitYesNo   = "bool_yes_no"
)

// panel is one panel.
type panel struct {
	kind  kind
	title string
	unit  string
	// normal says what is normal; act says what to do if it is not.
	normal, act string
	alert       string // the alert whose entry in the runbook the panel links to; empty: none
	span        uint32 // of 24 columns
	queries     []query
	// bad is the value from which on a graph has a red line, and a number is red. 0: none.
	bad     float64
	stacked bool
}

type kind int

const (
	graph kind = iota
	number
	list
)

// query is one of Grafana's builders of queries.
type query = cog.Builder[variants.Dataquery]

// names are the refIds of a panel's queries.
var names = []string{"A", "B", "C", "D", "E", "F"}

// prom is a query to Prometheus over time.
func prom(expr, legend string) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Expr(expr).LegendFormat(legend).Range().
		EditorMode(prometheus.QueryEditorModeCode).Datasource(prometheusRef())
}

// rate is how fast a counter rises a second, added up by a label, or whole if by is empty.
func rate(by, metric, of string) string {
	if by != "" {
		by = " by (" + by + ") "
	}
	return "sum" + by + "(rate(" + metric + "{" + of + "}[$__rate_interval]))"
}

// busy is rate without the series that stand still.
func busy(by, metric, of string) string { return rate(by, metric, of) + " > 0" }

// quantile is one of a histogram.
func quantile(q, metric, of string) string {
	return "histogram_quantile(" + q + ", " + rate("le", metric+"_bucket", of) + ")"
}

// named gives the queries their refIds.
func (p panel) named() []query {
	for i, q := range p.queries {
		switch q := q.(type) {
		case *prometheus.DataqueryBuilder:
			q.RefId(names[i])
		case *sqlQuery:
			q.RefID = names[i]
		}
	}
	return p.queries
}

// datasource is that of the panel's queries.
func (p panel) datasource() common.DataSourceRef {
	if _, is := p.queries[0].(*sqlQuery); is {
		return clickhouseRef()
	}
	return prometheusRef()
}

// description is what the reader sees behind the i of the panel.
func (p panel) description() string { return "Normal: " + p.normal + "\n\nIf not: " + p.act }

// links lead to the runbook.
func (p panel) links() []cog.Builder[dashboard.DashboardLink] {
	if p.alert == "" {
		return nil
	}
	return []cog.Builder[dashboard.DashboardLink]{
		dashboard.NewDashboardLinkBuilder("Runbook: " + p.alert).Type(dashboard.DashboardLinkTypeLink).
			TargetBlank(true).Url(runbook(p.alert)),
	}
}

// thresholds colours values from bad on.
func (p panel) thresholds() cog.Builder[dashboard.ThresholdsConfig] {
	steps := []dashboard.Threshold{{Color: "green"}}
	if p.bad != 0 {
		steps = append(steps, dashboard.Threshold{Value: &p.bad, Color: "red"})
	}
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps)
}

// builder returns the panel as Grafana's builder.
func (p panel) builder(id uint32) cog.Builder[dashboard.Panel] {
	switch p.kind {
	case number:
		return stat.NewPanelBuilder().Id(id).Title(p.title).Description(p.description()).Unit(p.unit).
			Links(p.links()).Span(p.span).Height(4).Datasource(p.datasource()).Targets(p.named()).
			Thresholds(p.thresholds()).ColorMode(common.BigValueColorModeValue).
			GraphMode(common.BigValueGraphModeArea).
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
	case list:
		return table.NewPanelBuilder().Id(id).Title(p.title).Description(p.description()).Unit(p.unit).
			Links(p.links()).Span(p.span).Height(9).Datasource(p.datasource()).Targets(p.named()).
			Thresholds(p.thresholds()).Filterable(true)
	default:
		return p.graph(id)
	}
}

func (p panel) graph(id uint32) cog.Builder[dashboard.Panel] {
	b := timeseries.NewPanelBuilder().Id(id).Title(p.title).Description(p.description()).Unit(p.unit).Min(0).
		Links(p.links()).Span(p.span).Height(8).Datasource(p.datasource()).Targets(p.named()).
		Thresholds(p.thresholds()).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdPaletteClassic)).
		LineWidth(1).FillOpacity(10).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).
			Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).
			Sort(common.SortOrderDescending))
	if p.bad != 0 {
		b.ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
	}
	if p.stacked {
		b.Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal)).FillOpacity(40)
	}
	return b
}
