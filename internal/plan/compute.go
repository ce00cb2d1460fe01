package plan

import "time"

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
