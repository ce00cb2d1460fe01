package plan

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

func TestGateway(t *testing.T) {
	t.Parallel()
	// 100,000/s × (1 + 40) µs = 4.1 cores; 2 of 4 cores are usable.
	g := compute(t, usual()).Gateway
	require.Equal(t, 3, g.Instances)
	require.InDelta(t, 41, g.EventMicros, 1e-9)
	require.InDelta(t, 100_000, g.Requests, 1e-9)
	require.InDelta(t, 4.1, g.BusyCores, 1e-9)

	// In bulks of 100, 500 requests a second and gateway lie ln 5 ÷ ln 100 of the way from 400 to 40 µs.
	request := 400 * math.Pow(0.1, math.Log(5)/math.Log(100))
	g = compute(t, with(func(l *Load) { l.Bulk = 100 })).Gateway
	require.Equal(t, 2, g.Instances, "at least two")
	require.InDelta(t, 1.4, g.EventMicros, 1e-9, "at the limit of a gateway")
	require.InDelta(t, 100_000*(1+request/100)*1e-6, g.BusyCores, 1e-9)

	g = compute(t, with(func(l *Load) { l.Bulk, l.Gzip = 100, true })).Gateway
	require.InDelta(t, 2.4, g.EventMicros, 1e-9)
}

func TestGatewaysStepAtTheLimit(t *testing.T) {
	t.Parallel()
	limit := 3 * 2 / 41e-6 // three gateways with two usable cores, 41 µs an event
	for rate, want := range map[float64]int{limit - 1: 3, limit: 3, limit + 1: 4} {
		require.Equal(t, want, compute(t, with(func(l *Load) { l.EventsPerSecond = rate })).Gateway.Instances, rate)
	}
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	require.Equal(t, 12, compute(t, with(func(l *Load) { l.EventsPerSecond = 1 })).Kafka.Partitions)
	// Twelve partitions carry 120 MB/s. An event takes 100 bytes, and a batch 200 in the log for each 10,000.
	limit := 120e6 / 100.02
	for rate, want := range map[float64]int{limit - 1: 12, limit: 12, limit + 1: 24} {
		k := compute(t, with(func(l *Load) { l.EventsPerSecond, l.Bulk = rate, 10_000 })).Kafka
		require.InDelta(t, 100.02, k.EventBytes, 1e-9)
		require.Equal(t, want, k.Partitions, rate)
	}
	// A partition uses one core at most: 3 µs an event are 3 cores a million, 30 with a headroom of 0.9. 115 MB/s need
	// no more than twelve.
	p := compute(t, with(func(l *Load) { l.EventsPerSecond, l.Headroom, l.Gateways = 0.96e6, 0.9, 2 }))
	require.InDelta(t, 2.88+0.012*float64(p.ClickHouse.Shards), p.consumerWork(), 1e-9) // an insert for each shard
	require.Equal(t, 36, p.Kafka.Partitions)
}

func TestBrokers(t *testing.T) {
	t.Parallel()
	p := compute(t, usual())
	// 33,333 requests a second and gateway are beyond the measured 10,000, where a request adds 20 bytes.
	require.InDelta(t, 120, p.Kafka.EventBytes, 1e-9)
	require.InDelta(t, 100_000*120*86_400*3.0, p.Kafka.DiskBytes, 1)
	require.Equal(t, 3, p.Kafka.Brokers, "at least")
	require.Equal(t, Needs{Cores: 1, Disk: 1, Network: 1}, p.Kafka.Needs)
	require.InDelta(t, 100_000*(1+4)*1e-6*3, p.Kafka.BusyCores, 1e-9)
	require.InDelta(t, 4<<30+100_000*120*3*30/3, p.Kafka.MemoryBytes, 1)

	for copies, want := range map[int]int{1: 1, 2: 3, 3: 3, 4: 4} {
		require.Equal(t, want, compute(t, with(func(l *Load) { l.Replication = copies })).Kafka.Brokers, copies)
	}
	p = compute(t, with(func(l *Load) { l.TopicRetention = settings.Duration(10 * 24 * time.Hour) }))
	require.Equal(t, 4, p.Kafka.Needs.Disk, "31.1 TB, of which 8 fit on a machine")
	require.Equal(t, 4, p.Kafka.Brokers)
	p = compute(t, with(func(l *Load) { l.NetworkBytes = 10e6 }))
	require.Equal(t, 8, p.Kafka.Needs.Network, "36 MB/s, 5 of them a machine")
}

func TestConsumer(t *testing.T) {
	t.Parallel()
	c := compute(t, usual()).Consumer
	require.InDelta(t, 12, c.Inserts, 1e-9)
	require.InDelta(t, 3, c.EventMicros, 1e-9)
	require.InDelta(t, 0.324, c.BusyCores, 1e-9, "an insert for each of two shards")
	require.Equal(t, 2, c.Instances, "at least")

	// Full blocks: of rows, and of bytes.
	for _, tc := range []struct{ rate, bytes, want float64 }{
		{1_199_999, 1, 12}, {1_200_000, 1, 12}, {1_200_001, 1, 12.00001},
		{1_000_000, 16 << 10, 1_000_000.0 / 1024},
	} {
		c := compute(t, with(func(l *Load) { l.EventsPerSecond, l.EventBytes = tc.rate, tc.bytes })).Consumer
		require.InDelta(t, tc.want, c.Inserts, 1e-9)
	}
	// An outage of a day at 100,000/s is caught up at 4 M/s of two consumers' 8 cores and 2 µs an event, or at what
	// ClickHouse takes.
	p := compute(t, usual())
	rate := min(4e6, 2*16/(2+p.ClickHouse.MergePasses)*1e6)
	require.InDelta(t, 86_400*100_000/(rate-100_000), p.Consumer.CatchUp, 1e-6)
	require.Zero(t, compute(t, with(func(l *Load) { l.Outage = 0 })).Consumer.CatchUp)
}

func TestClickHouse(t *testing.T) {
	t.Parallel()
	p := compute(t, usual())
	c := p.ClickHouse
	require.Equal(t, Needs{Cores: 1, Disk: 2, Network: 1}, c.Needs, "8.64 TB, of which 8 fit on a machine")
	require.Equal(t, 2, c.Shards)
	require.Equal(t, 4, c.Servers)
	require.InDelta(t, 2*8.64e12, c.DiskBytes, 1)
	// Parts of 150 GiB are made of parts of 100,000 ÷ 12 ÷ 2 rows.
	require.InDelta(t, math.Log((150<<30)/100/(100_000.0/24))/math.Log(32), c.MergePasses, 1e-9)
	require.InDelta(t, 0.2+2*12*0.01, c.InsertCores, 1e-9)
	require.InDelta(t, 0.1*c.MergePasses, c.MergeCores, 1e-9)
	require.InDelta(t, c.InsertCores+c.MergeCores, c.BusyCores, 1e-9)
}

func TestMergePasses(t *testing.T) {
	t.Parallel()
	for parts, want := range map[float64]float64{-1: 0, 0: 0, 0.5: 0, 1: 0, 32: 1, 32 * 32 * 32: 3} {
		require.InDelta(t, want, MergePasses(parts), 1e-9, parts)
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	require.Equal(t, Network{
		FromClients: 100_000 * 300, ToClients: 100_000 * 200, ToKafka: 12e6, Replication: 24e6, FromKafka: 12e6,
		ToClickHouse: 30e6, Replicas: 10e6,
	}, compute(t, usual()).Network)
	n := compute(t, with(func(l *Load) { l.Bulk, l.Gzip = 100, true })).Network
	require.InDelta(t, 100_000*(50+1), n.FromClients, 1e-6)
}

func TestCost(t *testing.T) {
	t.Parallel()
	p := compute(t, usual())
	c := p.Cost
	require.InDelta(t, (3+2)*4+(3+4)*16, c.Cores, 1e-9)
	require.InDelta(t, c.Cores*720, c.CoresMonth, 1e-6)
	require.InDelta(t, (p.Kafka.DiskBytes+p.ClickHouse.DiskBytes)/0.8/1e9, c.DiskMonth, 1e-6)
	require.InDelta(t, 88e6*30*86_400/1e9, c.NetworkMonth, 1e-6)
	require.InDelta(t, c.CoresMonth+c.MemoryMonth+c.DiskMonth+c.NetworkMonth, c.Month, 1e-6)
	require.InDelta(t, c.Month/(100_000*30*86_400/1e6), c.PerMillion, 1e-9)

	// Network is paid for by the average, not by the peak.
	peak := compute(t, with(func(l *Load) { l.PeakFactor = 2 })).Cost
	require.InDelta(t, c.NetworkMonth, peak.NetworkMonth, c.NetworkMonth/100)
	free := compute(t, with(func(l *Load) { l.Prices = Prices{} })).Cost
	require.Zero(t, free.PerMillion)
}

// More load never takes less, whatever else is the same.
func TestMoreTakesMore(t *testing.T) {
	t.Parallel()
	for _, bulk := range []int{1, 100} {
		var last Plan
		for rate := 1.0; rate <= mostEvents; rate *= 1.5 {
			p := compute(t, with(func(l *Load) { l.EventsPerSecond, l.Bulk = rate, bulk }))
			require.GreaterOrEqual(t, p.Gateway.Instances, last.Gateway.Instances, rate)
			require.GreaterOrEqual(t, p.Kafka.Partitions, last.Kafka.Partitions, rate)
			require.GreaterOrEqual(t, p.Kafka.Brokers, last.Kafka.Brokers, rate)
			require.GreaterOrEqual(t, p.Consumer.Instances, last.Consumer.Instances, rate)
			require.GreaterOrEqual(t, p.ClickHouse.Shards, last.ClickHouse.Shards, rate)
			require.GreaterOrEqual(t, p.Cost.Month, last.Cost.Month, rate)
			last = p
		}
	}
}
