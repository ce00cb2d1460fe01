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

// reach is how a DSN is reached.
func reach(dsn string) Config { return Config{DSN: dsn} }

// viaProxy is a database reached through a proxy, over HTTP.
func viaProxy(d *clickhousetest.Database, p *clickhousetest.Proxy) Config {
	return reach("http://" + p.Addr + "/" + d.Name)
}

// nodeOf is a way to a server as a node of a shape.
func nodeOf(cfg Config) node {
	opts, err := cfg.Options()
	if err != nil {
		panic(err)
	}
	return newNode(cfg, opts.Addr[0])
}

// sendTo inserts a block over a connection of its own.
func sendTo(t *testing.T, cfg Config, b *rows.Block) error {
	t.Helper()
	to := quiet(cfg)
	defer to.Close()
	return to.Insert(t.Context(), b, "")
}

// quiet is a table that does not log.
func quiet(cfg Config) *Table { return New(cfg, slog.New(slog.DiscardHandler)) }

// local is the table of a cluster's only server.
func local(t *testing.T, cfg Config) *Table {
	t.Helper()
	table, err := NewSharded(Config{Cluster: "two", Quorum: "1"}, slog.New(slog.DiscardHandler), [][]Config{{cfg}})
	require.NoError(t, err)
	t.Cleanup(table.Close)
	return table
}

// newCluster is the table of a cluster that is discovered.
func newCluster(cfg Config, log *slog.Logger) *Table { return tableOf(newTopology(cfg, log)) }

// shardsOf are the shards that a table knows, which it may have to read first.
func shardsOf(c *Table, ctx context.Context) ([]*shard, error) { //nolint:revive // the table first, as in a method
	at, err := c.topology.current(ctx)
	if err != nil {
		return nil, err
	}
	return at.shards, nil
}

// shardingOf is how a table distributes rows now.
func shardingOf(c *Table) *sharding { return c.topology.layout.sharding }

func isSetup(err error) bool { return FaultOf(err) == FaultSetup }
func isData(err error) bool  { return FaultOf(err) == FaultData }

// clusterOf is a cluster's table with the given shards, of equal weights unless said.
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

// addedUp adds up what a question for one number is answered by several servers.
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

// logText collects what is logged.
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
