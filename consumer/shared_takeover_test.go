package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/delivery"
	"sluice/consumer/kafka/kafkatest"
	"sluice/consumer/rows"
	"sluice/consumer/schema"
)

// gate is a table that notes tokens, and does with an insert what a test wants.
type gate struct {
	closingTable

	mu     sync.Mutex
	tokens map[string]int
	first  int // so many rows of each insert go in, and no answer comes; negative: all goes well
}

func (g *gate) Insert(ctx context.Context, token string, blocks ...*rows.Block) error {
	g.mu.Lock()
	g.tokens[token]++
	g.mu.Unlock()
	if g.first < 0 {
		return g.closingTable.Insert(ctx, token, blocks...)
	}
	if g.first > 0 {
		if err := g.closingTable.Insert(ctx, token, firstRows(blocks, g.first)...); err != nil {
			return err
		}
	}
	return errors.New("no answer")
}

// firstRows is the first rows of some blocks.
func firstRows(blocks []*rows.Block, most int) (out []*rows.Block) {
	for _, b := range blocks {
		some := make([]int32, min(most, b.Rows()))
		for i := range some {
			some[i] = int32(i)
		}
		out = append(out, b.Pick(some))
		most -= len(some)
	}
	return out
}

func (g *gate) count(shared bool) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for token, times := range g.tokens {
		if alone := strings.Count(token, "/") > 3; alone != shared {
			n += times
		}
	}
	return n
}

// gated runs a consumer with a gate before its table, until the test stops it.
func gated(t *testing.T, b *kafkatest.Broker, store schema.Config, g *gate) (c *Consumer, stop func()) {
	t.Helper()
	cfg := goodConfig()
	cfg.Store = store
	sharing(&cfg)
	c, err := newConsumer(cfg, Deps{
		Kafka: b.Conn, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), DrainTimeout: 20 * time.Second,
	}, quick)
	require.NoError(t, err)
	g.closingTable, g.tokens = c.table, map[string]int{}
	c.table = g
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	t.Cleanup(stop)
	return c, stop
}

// recorded is what is recorded for a partition.
func recorded(t *testing.T, c *Consumer, partition int) []delivery.Range {
	t.Helper()
	offset, metadata, err := c.kafka.Committed(t.Context(), partition)
	require.NoError(t, err)
	ranges, _, ok := delivery.DecodeMetadata(offset, metadata)
	require.True(t, ok)
	return ranges
}

// Shared blocks are recorded and a consumer ends before it knows that they are in. The next owner finds out what is
// missing and inserts it: with one insert for each block if nothing of it is in, and under tokens of each partition
// alone if the shared token was used up for the first rows.
func TestSharedBlocksAreTakenOver(t *testing.T) {
	t.Parallel()
	const partitions, each = 24, 3
	for name, c := range map[string]struct{ first int }{
		"nothing is in": {0}, "the first partition's rows are in": {each}, "all is in": {1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := migrated(t)
			b := kafkatest.New(t, partitions)
			one, stop := gated(t, b, d.native(), &gate{first: c.first})
			writeAll(t, b, partitions, each, 0)
			blocks := map[uint64]int{}
			waitUntil(t, "all ranges are recorded", func() bool {
				clear(blocks)
				for p := range partitions {
					for _, r := range recorded(t, one, p) {
						blocks[r.Shared] += r.Records
					}
				}
				n := 0
				for _, records := range blocks {
					n += records
				}
				return n == partitions*each
			})
			if c.first > 0 {
				waitUntil(t, "some rows are in", func() bool { return d.ask("SELECT count() > 0 FROM events_raw") == "1" })
			}
			stop()
			shared := len(blocks)
			if blocks[0] > 0 {
				shared--
			}
			assert.Positive(t, shared)
			through := &gate{first: -1}
			two, stop := gated(t, b, d.native(), through)
			waitUntil(t, "all events are rows, and committed", func() bool {
				for p := range partitions {
					if b.Committed(t, "sluice", p) != each {
						return false
					}
				}
				return true
			})
			d.asks("SELECT count(), uniqExact(_partition, _offset), uniqExact(event_id) FROM events_raw",
				fmt.Sprintf("%[1]d\t%[1]d\t%[1]d", partitions*each))
			for p := range partitions {
				assert.Empty(t, recorded(t, two, p))
			}
			stop()
			switch c.first {
			case 0:
				assert.LessOrEqual(t, through.count(true), shared+blocks[0], "inserts")
				assert.LessOrEqual(t, through.count(false), blocks[0], "inserts under tokens of one partition")
			case each:
				assert.Positive(t, through.count(false), "inserts under tokens of one partition")
			default:
				assert.Zero(t, through.count(true)+through.count(false), "inserts")
			}
		})
	}
}
