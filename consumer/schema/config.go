package schema

import (
	"errors"

	"sluice/consumer/clickhouse"
	"sluice/internal/settings"
)

// Config says how ClickHouse is reached and how long it keeps events.
type Config struct {
	ClickHouse clickhouse.Config `embed:""`

	Retention         *settings.Duration `name:"retention" help:"How long events are kept, counted from their receipt: 1d to 18250d. consumer migrate sets it, and needs --shorten-retention for a shorter one. Without it an existing table keeps its retention, and a new table gets 90d."`
	ProjectRetention  string             `name:"project-retention" placeholder:"PROJECT=TIME,..." help:"How long events of some projects are kept, such as shop=30d,demo=7d; other projects have --retention. consumer migrate sets it, for all projects at once: a project that is left out has --retention again. none takes all away. Without it an existing table keeps what it has. What is shorter than before needs --shorten-retention."`
	OutcomesRetention *settings.Duration `name:"outcomes-retention" help:"How long the counts in outcomes are kept: 1d to 18250d. consumer migrate sets it, and needs --shorten-retention for a shorter one. Without it they keep what they have; those that were kept for as long as events follow --retention."`
}

// Check reports every fault of the settings.
func (c Config) Check() error {
	_, err := c.retention()
	return errors.Join(err, c.ClickHouse.Check())
}
