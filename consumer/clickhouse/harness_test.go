package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows"
)

// reach is the configuration with a DSN.
func reach(dsn string) Config { return Config{DSN: dsn} }

// viaProxy reaches a database through a proxy.
func viaProxy(d *clickhousetest.Database, p *clickhousetest.Proxy) Config {
	return reach("http://" + p.Addr + "/" + d.Name)
}

// nodeOf makes a node of a cluster's shape.
func nodeOf(cfg Config) node {
	opts, err := cfg.Options()
	if err != nil {
		panic(err)
	}
	return newNode(cfg, opts.Addr[0])
}

// sendTo inserts a block with a table of its own.
func sendTo(t *testing.T, cfg Config, b *rows.Block) error {
	t.Helper()
	to := quiet(cfg)
	defer to.Close()
	return to.Insert(t.Context(), "", b)
}

// quiet is a table without a log.
func quiet(cfg Config) *Table { return New(cfg, slog.New(slog.DiscardHandler)) }

// local is the table of a cluster that has one server.
func local(t *testing.T, cfg Config) *Table {
	t.Helper()
	table, err := NewSharded(Config{Cluster: "two", Quorum: "1"}, slog.New(slog.DiscardHandler), [][]Config{{cfg}})
	require.NoError(t, err)
	t.Cleanup(table.Close)
	return table
}

// newCluster is the table of a cluster that has to be discovered.
func newCluster(cfg Config, log *slog.Logger) *Table { return tableOf(newTopology(cfg, log)) }

// shardsOf returns the shards, which are read if need be.
func shardsOf(ctx context.Context, c *Table) ([]*shard, error) {
	at, err := c.topology.current(ctx)
	if err != nil {
		return nil, err
	}
	return at.shards, nil
}

// shardingOf is the sharding of the known layout.
func shardingOf(c *Table) *sharding { return c.topology.layout.sharding }

func isSetup(err error) bool { return FaultOf(err) == FaultSetup }
func isData(err error) bool  { return FaultOf(err) == FaultData }

// clusterOf is the table of a cluster with the given shards. They weigh the same unless the shape says otherwise.
func clusterOf(t *testing.T, quorum string, shape clusterShape) *Table {
	t.Helper()
	c := newCluster(Config{Cluster: "two", Quorum: quorum}, slog.New(slog.DiscardHandler))
	for n, nodes := range shape.nodes {
		if len(shape.weights) == n {
			shape.weights = append(shape.weights, 1)
		}
		if len(shape.replicas) == n {
			shape.replicas = append(shape.replicas, len(nodes))
		}
	}
	c.topology.read = func(context.Context) (clusterShape, error) { return shape, nil }
	t.Cleanup(c.Close)
	return c
}

// addedUp returns the sum of several servers' answers to a question for one number.
func addedUp(t *testing.T, servers []*clickhousetest.Database, question string) (sum int) {
	t.Helper()
	for _, d := range servers {
		var n int
		if _, err := fmt.Sscan(d.Ask(question), &n); err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// logText collects the log.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
