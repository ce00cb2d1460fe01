package consumer

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/kafka/kafkatest"
	"sluice/consumer/schema"
	"sluice/internal/recordbatch"
)

// observations is how often a histogram was observed.
func observations(t testing.TB, h prometheus.Histogram) uint64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, h.Write(&m))
	return m.GetHistogram().GetSampleCount()
}

// sharing makes the inserts of 24 partitions two a flush age.
func sharing(c *Config) { c.FlushAge, c.InsertsPerSecond = 250*time.Millisecond, 8 }

// writeAll writes a number of events to each partition.
func writeAll(t *testing.T, b *kafkatest.Broker, partitions, each, from int) {
	t.Helper()
	for p := range partitions {
		var records []recordbatch.Record
		for i := range each {
			records = append(records, plain(int64(from+p*each+i)))
		}
		b.Write(t, p, produced(records...)...)
	}
}

// Many partitions make few inserts, all rows are there once, and all offsets are committed. The metadata says which
// block a range was in until the next commit.
func TestSharedBlocks(t *testing.T) {
	t.Parallel()
	const partitions, each, rounds = 24, 5, 4
	d := migrated(t)
	b := kafkatest.New(t, partitions)
	c := consumeWith(t, b.Conn, d.native(), sharing)
	waitUntil(t, "it has partitions", func() bool { return c.owns() == partitions })
	written := 0
	for range rounds {
		writeAll(t, b, partitions, each, written)
		written += partitions * each
		waitUntil(t, "all events are rows", func() bool { return d.ask("SELECT count() FROM events") == fmt.Sprint(written) })
	}
	d.asks("SELECT count(), uniqExact(_partition, _offset), uniqExact(event_id) FROM events_raw",
		fmt.Sprintf("%[1]d\t%[1]d\t%[1]d", written))
	inserts := observations(t, c.metrics.batchRows)
	assert.GreaterOrEqual(t, inserts, uint64(2*rounds))
	assert.LessOrEqual(t, inserts, uint64(6*rounds), "each partition inserts on its own")
	waitUntil(t, "all is committed", func() bool {
		for p := range partitions {
			if b.Committed(t, "sluice", p) != each*rounds {
				return false
			}
		}
		return true
	})
}

// While a member of an older version is in the group, and with blocks switched off, each partition inserts on its own.
func TestSharedBlocksSwitchedOff(t *testing.T) {
	t.Parallel()
	const partitions, each = 24, 5
	d := migrated(t)
	b := kafkatest.New(t, partitions)
	c := consumeWith(t, b.Conn, d.native(), sharing, func(c *Config) { c.BlockPartitions, c.InsertsPerSecond = 1, 1000 })
	writeAll(t, b, partitions, each, 0)
	waitUntil(t, "all events are rows", func() bool {
		return d.ask("SELECT count() FROM events") == fmt.Sprint(partitions*each)
	})
	assert.GreaterOrEqual(t, observations(t, c.metrics.batchRows), uint64(partitions))
}

// Blocks are shared where a read misses nothing: on one server, and on a cluster that asks a majority.
func TestSharesBlocks(t *testing.T) {
	t.Parallel()
	for quorum, want := range map[string]bool{"auto": true, "1": false, "2": false} {
		var store schema.Config
		store.ClickHouse.Quorum = quorum
		c := Config{BlockPartitions: 2, Store: store}
		assert.True(t, c.sharesBlocks(), "one server")
		c.Store.ClickHouse.Cluster = "main"
		assert.Equal(t, want, c.sharesBlocks(), "quorum %s", quorum)
		c.BlockPartitions = 1
		assert.False(t, c.sharesBlocks(), "switched off")
	}
}
