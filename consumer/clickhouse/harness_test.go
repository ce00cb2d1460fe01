package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

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
	to := newInserter(cfg)
	defer to.Close()
	return to.Insert(t.Context(), b, "")
}

// clusterOf is a cluster's table with the given shards, of equal weights unless said.
func clusterOf(t *testing.T, quorum string, shape clusterShape) *clusterTable {
	t.Helper()
	c := newClusterTable(Config{Cluster: "two", Quorum: quorum}, slog.New(slog.DiscardHandler))
	for n, nodes := range shape.nodes {
		if len(shape.weights) == n {
			shape.weights = append(shape.weights, 1)
		}
		if len(shape.replicas) == n {
			shape.replicas = append(shape.replicas, len(nodes))
		}
	}
	c.shape = func(context.Context) (clusterShape, error) { return shape, nil }
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
