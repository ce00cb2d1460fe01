package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// node is one server of a cluster.
type node struct {
	name    string // its address
	options func() (*clickhouse.Options, error)
}

// clusterShape is a cluster as system.clusters describes it, by shard.
type clusterShape struct {
	weights  []uint64
	replicas []int // of the whole shard, reached or not
	nodes    [][]node
}

// errOtherShards: rows would go to other shards than their first copies did.
const errOtherShards = UnsuitableError("the cluster's shards or their weights have changed since this consumer " +
	"started: stop all consumers that work with the old shards, then start them again")

// errBelowQuorum: some replicas have the rows, but fewer than the quorum. That passes: the others fetch the rows, or
// the insert failed and ClickHouse removes them.
var errBelowQuorum = errors.New("rows are on fewer replicas than the quorum, until the others fetch them " +
	"or clickhouse removes them")

// discovery asks one of the DSN's servers, over clickhouse-go, which chooses the server and speaks TLS. It asks for the
// topology of a cluster and for the columns of the table: rare questions, for each of which a fresh connection costs
// nothing that matters.
type discovery struct{ cfg Config }

// ask returns the texts of an answer with one column. It fails with an UnsuitableError where nothing may be inserted.
func (d discovery) ask(ctx context.Context, query string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	opts, err := d.cfg.Options()
	if err != nil {
		return nil, err
	}
	// A profile may cache answers. ClickHouse refuses questions to system tables then.
	opts.Settings = maps.Clone(opts.Settings)
	if opts.Settings == nil {
		opts.Settings = clickhouse.Settings{}
	}
	opts.Settings["use_query_cache"] = 0
	db := OpenDB(opts, "") // the server's default: no database has to exist
	defer db.Close()       //nolint:errcheck // nothing is pending
	late, end := afterGrace(ctx)
	defer end()
	server, err := Inspect(late, db)
	if err != nil {
		return nil, err
	}
	if err := server.Unsuitable(); err != nil {
		return nil, err
	}
	if d.cfg.Cluster != "" && server.Cloud {
		return nil, ErrCloud
	}
	return Texts(late, db, query)
}

// readShape asks for the shards of the cluster. With one shard the DSN says where the replicas are reached. With more,
// each replica is reached where the cluster's own servers reach it, with the DSN's user: at its native port if that is
// what the DSN has, and otherwise at the DSN's port.
func readShape(
	ctx context.Context, cfg Config, ask func(ctx context.Context, query string) ([]string, error),
) (clusterShape, error) {
	var shape clusterShape
	opts, err := cfg.Options()
	if err != nil {
		return shape, err
	}
	lines, err := ask(ctx, "SELECT concat(toString(shard_num), ' ', toString(shard_weight), ' ', "+
		"toString(port), ' ', host_name) FROM system.clusters WHERE cluster = "+Quote(cfg.Cluster)+
		" ORDER BY shard_num, replica_num")
	if err != nil {
		return shape, err
	}
	last := uint64(0)
	for _, line := range lines {
		var shard, weight uint64
		var port, host string
		if _, err := fmt.Sscan(line, &shard, &weight, &port, &host); err != nil {
			return shape, fmt.Errorf("a line of system.clusters: %w", err)
		}
		if shard != last {
			last = shard
			shape.weights = append(shape.weights, weight)
			shape.replicas = append(shape.replicas, 0)
			shape.nodes = append(shape.nodes, nil)
		}
		n := len(shape.nodes) - 1
		shape.replicas[n]++
		shape.nodes[n] = append(shape.nodes[n], newNode(cfg, nodeAddr(opts, host, port)))
	}
	if len(lines) == 0 {
		return shape, UnsuitableError("--clickhouse-cluster: the server knows no cluster " + cfg.Cluster)
	}
	if len(shape.weights) == 1 {
		shape.nodes[0] = nil
		for _, addr := range opts.Addr {
			shape.nodes[0] = append(shape.nodes[0], newNode(cfg, addr))
		}
	}
	return shape, nil
}

// newNode reaches one address with everything else that the DSN says. The DSN is read at each connect.
func newNode(cfg Config, addr string) node {
	return node{name: addr, options: func() (*clickhouse.Options, error) {
		opts, err := cfg.Options()
		if err == nil {
			opts.Addr = []string{addr}
		}
		return opts, err
	}}
}

// sameShards reports whether rows go where they went before: there are as many shards, they weigh as much, and no
// server has moved to another shard. With one shard the servers are the DSN's.
func (c clusterShape) sameShards(other clusterShape) bool {
	if !slices.Equal(c.weights, other.weights) {
		return false
	}
	at := map[string][]int{} // a server may be in several shards
	for n, nodes := range c.nodes {
		for _, one := range nodes {
			at[one.name] = append(at[one.name], n)
		}
	}
	for n, nodes := range other.nodes {
		for _, one := range nodes {
			if was := at[one.name]; was != nil && !slices.Contains(was, n) {
				return false
			}
		}
	}
	return true
}

// names lists the servers, with the number of their shard's replicas. Two shapes with the same names need no new
// connections.
func (c clusterShape) names() []string {
	var out []string
	for n, nodes := range c.nodes {
		for _, one := range nodes {
			out = append(out, fmt.Sprint(n, " of ", c.replicas[n], " ", one.name))
		}
	}
	return out
}
