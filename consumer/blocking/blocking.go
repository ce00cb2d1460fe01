package blocking

import (
	"log/slog"

	"sluice/consumer/clickhouse"
	"sluice/consumer/kafka"
)

// What a partition waits for.
const (
	ClickHouse  = "clickhouse"   // an outage
	Setup       = "setup"        // somebody has to change something in ClickHouse or in the settings
	DeadLetters = "dead_letters" // the topic of the dead letters does not take one
	Kafka       = "kafka"        // the group, or the leader of the partition
)

// Reasons are all of them, for metrics.
var Reasons = []string{ClickHouse, Setup, DeadLetters, Kafka}

// ByRead is what a question that failed waits for.
func ByRead(err error) string {
	switch clickhouse.FaultOf(err) {
	case clickhouse.FaultTransient:
		return ClickHouse
	case clickhouse.FaultSize:
		return BySize(err)
	}
	return Setup
}

// BySize says who must act if a single row is too large. A query that takes too long, or a server that is out of
// memory, passes.
func BySize(err error) string {
	switch clickhouse.Code(err) {
	case 159, 160, 173:
		return ClickHouse
	}
	return Setup
}

// Severity is ERROR if somebody must act.
func Severity(reason string, err error) slog.Level {
	if reason == Setup || reason == DeadLetters && kafka.Hint(err) != "" {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// Advice says what to do about what blocks a partition. A refusal that is not the rows' fault after all is the
// table's.
func Advice(reason string, err error) string {
	if reason == Setup && clickhouse.FaultOf(err) == clickhouse.FaultUnclear {
		return clickhouse.HintEverything
	}
	return Hint(err)
}

// Hint says what to do about an error, if the consumer knows.
func Hint(err error) string {
	if text := kafka.Hint(err); text != "" {
		return text
	}
	return clickhouse.Hint(err)
}
