package plan

import (
	"fmt"
	"strings"
)

// tableRates are the columns of the table, in events per second.
var tableRates = []float64{10e3, 100e3, 1e6, 10e6}

// Table returns a Markdown table of plans for 10,000 to 10 million events per second. Load gives everything else. The
// gateways for single events, bulks of 100, and these with gzip have a row each; the rest is for bulks of 100.
func Table(load Load, figures Figures) (string, error) {
	var plans, singles, zipped []Plan
	for _, rate := range tableRates {
		load.EventsPerSecond = rate
		for _, style := range []struct {
			to   *[]Plan
			bulk int
			gzip bool
		}{{&singles, 1, false}, {&plans, tableBulk, false}, {&zipped, tableBulk, true}} {
			load.Bulk, load.Gzip = style.bulk, style.gzip
			p, err := Compute(load, figures)
			if err != nil {
				return "", err
			}
			*style.to = append(*style.to, p)
		}
	}
	var text strings.Builder
	row := func(what string, of []Plan, cell func(Plan) string) {
		fmt.Fprintf(&text, "| %s |", what)
		for _, p := range of {
			fmt.Fprintf(&text, " %s |", cell(p))
		}
		text.WriteByte('\n')
	}
	row(fmt.Sprintf("events of %s a second", bytes(load.EventBytes)), plans, func(p Plan) string {
		return short(p.Load.EventsPerSecond)
	})
	text.WriteString("|---|---|---|---|---|\n")
	gateways := func(p Plan) string { return fmt.Sprint(p.Gateway.Instances) }
	row("gateways, single events", singles, gateways)
	row("gateways, bulks of 100", plans, gateways)
	row("gateways, the same with gzip", zipped, gateways)
	tableBody(row, plans)
	return text.String(), nil
}

// tableBulk is how many events the bulks of the table have.
const tableBulk = 100

func tableBody(row func(string, []Plan, func(Plan) string), plans []Plan) {
	for _, line := range []struct {
		what string
		cell func(Plan) string
	}{
		{"partitions", func(p Plan) string { return fmt.Sprint(p.Kafka.Partitions) }},
		{"brokers", func(p Plan) string { return fmt.Sprint(p.Kafka.Brokers) }},
		{"consumers", func(p Plan) string { return fmt.Sprint(p.Consumer.Instances) }},
		{"ClickHouse shards × replicas", func(p Plan) string {
			return fmt.Sprintf("%d × %d", p.ClickHouse.Shards, p.ClickHouse.Replicas)
		}},
		{"inserts a second", func(p Plan) string { return short(p.Consumer.Inserts) }},
		{"disk of Kafka, all copies", func(p Plan) string { return bytes(p.Kafka.DiskBytes) }},
		{"disk of ClickHouse, all copies", func(p Plan) string { return bytes(p.ClickHouse.DiskBytes) }},
		{"network from clients, at the peak", func(p Plan) string { return bytes(p.Network.FromClients) + "/s" }},
		{"network between machines, at the peak", func(p Plan) string { return bytes(p.Network.Inside()) + "/s" }},
		{"cores of all machines", func(p Plan) string { return short(p.Cost.Cores) }},
		{"memory of all machines", func(p Plan) string { return bytes(p.Cost.Memory) }},
		{"cost per million events", func(p Plan) string { return money(p.Cost.PerMillion) }},
	} {
		row(line.what, plans, line.cell)
	}
}
