package plan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// easy are figures with which results can be checked by head.
func easy() Figures {
	return Figures{
		Origin: "made up",
		Insert: InsertCost{Consumer: 1000, ClickHouse: 10_000},
		Sizes: []SizeCost{
			{EventBytes: 200, Gateway: 1, Gzip: 1, Broker: 1, Consumer: 2, Row: 2, Merge: 1,
				Bytes: Bytes{Gzip: 50, Request: 100, Answer: 200, Kafka: 100, Insert: 300, Disk: 100},
				Requests: []RequestCost{
					{PerSecond: 100, Gateway: 400, Broker: 40, Consumer: 100, BatchBytes: 200, SentBytes: 200},
					{PerSecond: 10_000, Gateway: 40, Broker: 4, Consumer: 1, BatchBytes: 20, SentBytes: 20},
				}},
			{EventBytes: 1200, Gateway: 6, Gzip: 3, Broker: 2, Consumer: 7, Row: 7, Merge: 2,
				Bytes: Bytes{Gzip: 250, Request: 100, Answer: 200, Kafka: 400, Insert: 1300, Disk: 300},
				Requests: []RequestCost{
					{PerSecond: 100, Gateway: 800, Broker: 80, Consumer: 200, BatchBytes: 400, SentBytes: 400},
					{PerSecond: 10_000, Gateway: 80, Broker: 8, Consumer: 2, BatchBytes: 40, SentBytes: 40},
				}},
		},
	}
}

// usual is a load with the defaults of the flags, but with few of the numbers that make checking by head hard.
func usual() Load {
	day := settings.Duration(24 * time.Hour)
	return Load{
		Traffic: Traffic{EventsPerSecond: 100_000, PeakFactor: 1, EventBytes: 200, Bulk: 1},
		Keeping: Keeping{Retention: 10 * day, TopicRetention: day, Outage: day, Replication: 3, Replicas: 2},
		Machines: Machines{Headroom: 0.5, Cores: 4, ServerCores: 16, ServerDisk: 10e12,
			NetworkBytes: 1.25e9},
		Prices: Prices{CoreHour: 1, MemoryHour: 1, DiskMonth: 1, Network: 1},
	}
}

// with returns the usual load after a change.
func with(change func(*Load)) Load {
	l := usual()
	change(&l)
	return l
}

func compute(t testing.TB, l Load) Plan {
	t.Helper()
	p, err := Compute(l, easy())
	require.NoError(t, err)
	return p
}

func codes(p Plan) []string {
	out := []string{}
	for _, w := range p.Warnings {
		out = append(out, w.Code)
	}
	return out
}
