package plan

import (
	"fmt"
	"math"
	"time"
)

// Plan is what a load takes. Rates are those of the peak unless a field says otherwise.
type Plan struct {
	Load       Load       `json:"load"`
	Seconds    Seconds    `json:"seconds"`
	Gateway    Gateway    `json:"gateway"`
	Kafka      Kafka      `json:"kafka"`
	Consumer   Consumer   `json:"consumer"`
	ClickHouse ClickHouse `json:"clickhouse"`
	Network    Network    `json:"network"`
	Cost       Cost       `json:"cost"`
	// Why has the sentence that gives each number.
	Why      []Line    `json:"why"`
	Warnings []Warning `json:"warnings"`
	Figures  Figures   `json:"figures"`

	event SizeCost
}

// Seconds are the times of the load.
type Seconds struct {
	Retention      float64 `json:"retention"`
	TopicRetention float64 `json:"topic_retention"`
	Outage         float64 `json:"outage"`
}

// Line is a number of the plan with the sentence that gives it.
type Line struct {
	Part string `json:"part"`
	What string `json:"what"`
	// Value is the number with its unit, as text.
	Value string `json:"value"`
	Why   string `json:"why"`
}

// Compute reckons a plan. Its error lists the faults of load and figures.
func Compute(load Load, figures Figures) (Plan, error) {
	if err := load.Check(); err != nil {
		return Plan{}, err
	}
	if err := figures.Check(); err != nil {
		return Plan{}, err
	}
	p := Plan{Load: load, Figures: figures, event: figures.size(load.EventBytes)}
	p.Seconds = Seconds{
		Retention:      time.Duration(load.Retention).Seconds(),
		TopicRetention: time.Duration(load.TopicRetention).Seconds(),
		Outage:         time.Duration(load.Outage).Seconds(),
	}
	p.gateway()
	p.partitions()
	p.consumer()
	p.clickhouse()
	p.kafka()
	p.network()
	p.cost()
	p.Warnings = p.warnings()
	p.Why = p.lines()
	return p, nil
}

// Needs is how many machines each thing alone would need.
type Needs struct {
	Cores   int `json:"for_cores"`
	Disk    int `json:"for_disk"`
	Network int `json:"for_network"`
}

func (n Needs) most() int { return max(n.Cores, n.Disk, n.Network) }

func (n Needs) String() string {
	return fmt.Sprintf("cores need %d, disk %d, network %d", n.Cores, n.Disk, n.Network)
}

// count is a number of machines or partitions: at least least, and enough for need.
func count(need float64, least int) int {
	return max(least, int(min(math.Ceil(need-tiny), mostMachines)))
}

// mostMachines keeps products of machines and anything else within an int.
const mostMachines = 1e9

// tiny keeps rounding errors from costing a machine.
const tiny = 1e-9

// fixed returns the number that the operator fixed, or the one that is needed.
func fixed(given, needed int) int {
	if given > 0 {
		return given
	}
	return needed
}

// diskFill is how much of a disk may be used. ClickHouse needs room to merge.
const diskFill = 0.8

const micro = 1e-6 // seconds

// least is how many processes of a kind there are, so that one may be down.
const least = 2
