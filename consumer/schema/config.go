package schema

import (
	"errors"

	"sluice/consumer/clickhouse"
	"sluice/internal/settings"
)

// Config says how ClickHouse is reached and how long it keeps events.
type Config struct {
	ClickHouse clickhouse.Config `embed:""`

	Retention *settings.Duration `name:"retention" help:"How long events are kept, counted from their receipt: 1d to 18250d. Set by consumer migrate, which asks for --shorten-retention where it is shorter than before. Left out: a table that is there keeps what it has, a new one gets 90d."`
}

// Check reports every fault of the settings.
func (s Config) Check() error {
	return errors.Join(checkRetention(s.Retention), s.ClickHouse.Check())
}
