package clickhouse

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows"
	"sluice/consumer/rows/rowstest"
)

var (
	shardsBlocks = flag.Int("shards.blocks", 48, "blocks that BenchmarkShards inserts in each way")
	shardsRows   = flag.Int("shards.rows", 8000, "rows of each block of BenchmarkShards")
	shardsRounds = flag.Int("shards.rounds", 3, "how often BenchmarkShards measures each way, in turn")
)

// BenchmarkShards measures what inserts cost with 1, 2, 4 and 8 shards, which are databases of one engine:
//
//   - split: the consumer splits each block over all shards, as it does
//   - spread: a Distributed table splits it
//   - tied: each block is for one shard, as if partitions were tied to shards
//
// The engine's processor time has the merges in it.
//
//	go test ./consumer/clickhouse -run '^$' -bench Shards -benchtime 1x -timeout 30m
func BenchmarkShards(b *testing.B) {
	ways := []string{"split", "spread", "tied"}
	counts := []int{1, 2, 4, 8}
	sums := map[string]shardsCost{}
	for range *shardsRounds {
		for _, n := range counts {
			for _, way := range ways {
				cost := measureShards(b, way, n)
				sums[fmt.Sprint(way, n)] = sums[fmt.Sprint(way, n)].plus(cost)
			}
		}
	}
	for _, way := range ways {
		for _, n := range counts {
			b.Run(fmt.Sprintf("%s/%d", way, n), func(b *testing.B) {
				sum := sums[fmt.Sprint(way, n)]
				blocks := float64(*shardsBlocks * *shardsRounds)
				b.ReportMetric(blocks*float64(*shardsRows)/sum.took.Seconds(), "rows/s")
				b.ReportMetric(blocks/sum.took.Seconds(), "blocks/s")
				b.ReportMetric(sum.cpu.Seconds()*1e3/blocks, "engine-ms/block")
				b.ReportMetric(sum.own.Seconds()*1e3/blocks, "consumer-ms/block")
				b.ReportMetric(sum.parts/blocks/float64(n), "parts/block/shard")
				b.ReportMetric(blocks*float64(*shardsRows)/sum.parts, "rows/part")
				b.ReportMetric(sum.merged/blocks/float64(*shardsRows), "merges/row")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// shardsCost is what a way of inserting took: the processor time of the engine and of this process, parts of all
// shards, and rows that merges read.
type shardsCost struct {
	took, cpu, own time.Duration
	parts, merged  float64
}

func (c shardsCost) plus(d shardsCost) shardsCost {
	return shardsCost{c.took + d.took, c.cpu + d.cpu, c.own + d.own, c.parts + d.parts, c.merged + d.merged}
}

func measureShards(b *testing.B, way string, n int) (cost shardsCost) {
	b.Helper()
	var servers []*clickhousetest.Database
	var shards [][]Config
	for i := range n {
		d := clickhousetest.Named(b, clickhousetest.ShardOf(n, i))
		d.AskServer("DROP DATABASE IF EXISTS " + d.Name + " SYNC")
		d.AskServer("CREATE DATABASE " + d.Name)
		for _, statement := range clickhousetest.ClusterTables(d.Name) {
			if strings.HasPrefix(statement, "CREATE TABLE IF NOT EXISTS events_local") {
				d.Ask(statement)
			}
		}
		defer d.AskServer("DROP DATABASE " + d.Name + " SYNC")
		servers, shards = append(servers, d), append(shards, []Config{reach(d.Native())})
	}
	servers[0].Ask(fmt.Sprintf("CREATE TABLE spread AS events_local ENGINE = Distributed('shards_%d', '', 'events_local', %s)",
		n, ShardKey))
	table, err := NewSharded(Config{Cluster: "shards", Quorum: "1"}, slog.New(slog.DiscardHandler), shards)
	require.NoError(b, err)
	defer table.Close()
	blocks := shardBlocks(b, way, n)
	insert := func(ctx context.Context, block *rows.Block, token string) error {
		return table.Insert(ctx, token, block)
	}
	if way == "spread" {
		insert = func(ctx context.Context, block *rows.Block, token string) error {
			return insertSpread(ctx, servers[0], block, token)
		}
	}
	require.NoError(b, insert(b.Context(), rowstest.Many(b, 1), "first")) // connects

	before, own := cpuOf(b, clickhousetest.Engine(b).PID()), cpuOf(b, os.Getpid())
	merged := engineEvent(servers[0], "MergedRows")
	start := time.Now()
	var next atomic.Int64
	var senders errgroup.Group
	for range 2 {
		senders.Go(func() error {
			for i := next.Add(1) - 1; int(i) < len(blocks); i = next.Add(1) - 1 {
				if err := insert(b.Context(), blocks[i], fmt.Sprint("block ", i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(b, senders.Wait())
	cost.took, cost.own = time.Since(start), cpuOf(b, os.Getpid())-own
	servers[0].Until("SELECT count() FROM system.merges", "0")
	cost.cpu = cpuOf(b, clickhousetest.Engine(b).PID()) - before
	cost.merged = engineEvent(servers[0], "MergedRows") - merged
	stored := 0.0
	for _, d := range servers {
		parts, rows := 0.0, 0.0
		_, err := fmt.Sscan(d.Ask("SELECT countIf(level = 0), sumIf(rows, active) FROM system.parts WHERE table = 'events_local' "+
			"AND database = currentDatabase()"), &parts, &rows)
		require.NoError(b, err)
		cost.parts, stored = cost.parts+parts, stored+rows
	}
	require.InDelta(b, float64(*shardsBlocks**shardsRows+1), stored, 0)
	return cost
}

// insertSpread inserts a block into the Distributed table, and waits until all shards have their rows.
func insertSpread(ctx context.Context, d *clickhousetest.Database, block *rows.Block, token string) error {
	dsn := d.OfUser("foreground")["native"]
	s := &session{options: func() (*clickhouse.Options, error) { return clickhouse.ParseDSN(dsn) }, table: "spread"}
	defer s.close()
	return s.send(ctx, token, block)
}

// shardBlocks makes the blocks. Each has the rows of a day. Those of a tied way are all of one shard.
func shardBlocks(b *testing.B, way string, n int) []*rows.Block {
	b.Helper()
	weights := make([]uint64, n)
	for i := range weights {
		weights[i] = 1
	}
	of, err := newSharding(weights)
	require.NoError(b, err)
	now := time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
	var blocks []*rows.Block
	serial, offset := uint64(0), int64(0)
	for i := range *shardsBlocks {
		records := make([]rowstest.Record, 0, *shardsRows)
		for len(records) < *shardsRows {
			serial++
			project := fmt.Sprint("project-", serial%50)
			id := rowstest.IDAt(now.Add(time.Duration(offset)*time.Millisecond/100), serial)
			if way == "tied" && of.of([]byte(project), id) != i%n {
				continue
			}
			value := fmt.Sprintf(`{"level":"error","environment":"prod","release":"shop@1.4.2","tags":{"region":"eu"},`+
				`"message":"upstream %d refused the connection of cart %d after %d ms, retry %d"}`,
				serial*7919%97, serial*104729%99991, serial*31%5000, serial%4)
			records = append(records, rowstest.From(offset, project, id, time.Now(), value))
			offset++
		}
		blocks = append(blocks, rowstest.Block(b, records...))
	}
	return blocks
}

// cpuOf is the processor time that a process has used, in steps of 10 ms.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	process, err := procfs.NewProc(pid)
	if err != nil {
		b.Skipf("no figures of processes here: %v", err)
	}
	stat, err := process.Stat()
	require.NoError(b, err)
	return time.Duration(stat.CPUTime() * float64(time.Second))
}

func engineEvent(d *clickhousetest.Database, name string) float64 {
	value, _ := strconv.ParseFloat(d.Ask("SELECT sum(value) FROM system.events WHERE event = '"+name+"'"), 64)
	return value
}
