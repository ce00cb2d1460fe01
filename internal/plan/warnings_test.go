package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

func TestNoWarnings(t *testing.T) {
	t.Parallel()
	require.Empty(t, compute(t, usual()).Warnings)
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	for _, tc := range []struct {
		code       string
		with, less func(*Load)
	}{
		{"one_gateway", func(l *Load) { l.Gateways = 1 }, func(l *Load) { l.Gateways = 3 }},
		{"too_few_gateways", func(l *Load) { l.Gateways = 2 }, func(l *Load) { l.Gateways = 3 }},
		{"one_consumer", func(l *Load) { l.Consumers = 1 }, func(l *Load) { l.Consumers = 2 }},
		{"too_few_consumers", func(l *Load) { l.Consumers, l.Cores, l.Gateways = 6, 0.1, 3 },
			func(l *Load) { l.Consumers, l.Cores, l.Gateways = 7, 0.1, 3 }},
		{"idle_consumers", func(l *Load) { l.Consumers = 13 }, func(l *Load) { l.Consumers = 12 }},
		{"too_few_partitions", func(l *Load) { l.Partitions = 11 }, func(l *Load) { l.Partitions = 24 }},
		{"many_partitions", func(l *Load) { l.Partitions = 49 }, func(l *Load) { l.Partitions = 48 }},
		{"beyond_one_topic", func(l *Load) { l.EventsPerSecond = 900e6 }, func(l *Load) { l.EventsPerSecond = 100e6 }},
		{"one_copy_in_kafka", func(l *Load) { l.Replication = 1 }, func(l *Load) { l.Replication = 2 }},
		{"two_copies_in_kafka", func(l *Load) { l.Replication = 2 }, func(l *Load) { l.Replication = 3 }},
		{"one_replica", func(l *Load) { l.Replicas = 1 }, func(l *Load) { l.Replicas = 2 }},
		{"too_few_shards", func(l *Load) { l.Shards = 1 }, func(l *Load) { l.Shards = 2 }},
		{"many_inserts", func(l *Load) { l.EventsPerSecond = 6e6 }, func(l *Load) { l.EventsPerSecond = 5e6 }},
		{"short_topic_retention", func(l *Load) { l.Outage = settings.Duration(day + 1) },
			func(l *Load) { l.Outage = settings.Duration(day) }},
		{"short_topic_retention", func(l *Load) { l.TopicRetention = settings.Duration(day - 1) },
			func(l *Load) { l.TopicRetention = settings.Duration(day + 1) }},
		{"no_catch_up", func(l *Load) { l.Partitions, l.EventsPerSecond = 1, 1e6 }, func(l *Load) {}},
	} {
		p := compute(t, with(tc.with))
		require.Contains(t, codes(p), tc.code)
		for _, w := range p.Warnings {
			require.NotRegexp(t, `%!|NaN`, w.Text)
		}
		require.NotContains(t, codes(compute(t, with(tc.less))), tc.code)
	}
}
