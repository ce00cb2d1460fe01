package schema

import (
	"errors"

	"sluice/consumer/clickhouse"
	"sluice/internal/settings"
)

// Config says how ClickHouse is reached and how long it keeps events.
type Config struct {
	ClickHouse clickhouse.Config `embed:""`

	Retention *settings.Duration `name:"retention" help:"How long events are kept, counted from their receipt: 1d to 18250d. consumer migrate sets it, and needs --shorten-retention for a shorter one. Without it an existing table keeps its retention, and a new table gets 90d."`
}

// Check reports every fault of the settings.
func (c Config) Check() error {
	return errors.Join(checkRetention(c.Retention), c.ClickHouse.Check())
}
