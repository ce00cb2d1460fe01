package consumer

import (
	"sluice/consumer/clickhouse"
	"sluice/consumer/kafka"
)

// hint says what to do about an error, where the consumer knows.
func hint(err error) string {
	if text := kafka.Hint(err); text != "" {
		return text
	}
	return clickhouse.Hint(err)
}
