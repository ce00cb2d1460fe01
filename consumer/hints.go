package consumer

import (
	"sluice/consumer/clickhouse"
	"sluice/consumer/kafka"
)

// hint returns what to do about an error, if the consumer knows.
func hint(err error) string {
	if text := kafka.Hint(err); text != "" {
		return text
	}
	return clickhouse.Hint(err)
}
