package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// node is one server of a cluster.
type node struct {
	name    string // its address
	options func() (*clickhouse.Options, error)
}

// clusterShape is a cluster as system.clusters describes it.
type clusterShape struct {
	weights  []uint64
	replicas []int // how many each shard has
	nodes    [][]node
}

// errOtherShards: rows would go elsewhere than their first copies did.
const errOtherShards = UnfitError("the cluster's shards or their weights are others than when this consumer started: see that no consumer works with the old ones, then start them again")

// readShape asks one of the DSN's servers. With one shard the DSN says where it is reached; with more, each replica is reached where the
// cluster's own servers reach it, with the DSN's user: at its native port if that is what the DSN has, and otherwise at the DSN's port.
func readShape(ctx context.Context, cfg Config, ask func(ctx context.Context, query string) ([]string, error)) (clusterShape, error) {
	var shape clusterShape
	opts, err := cfg.Options()
	if err != nil {
		return shape, err
	}
	lines, err := ask(ctx, "SELECT concat(toString(shard_num), ' ', toString(shard_weight), ' ', toString(port), ' ', host_name) FROM system.clusters WHERE cluster = "+
		Quote(cfg.Cluster)+" ORDER BY shard_num, replica_num")
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
			shape.weights, shape.replicas, shape.nodes = append(shape.weights, weight), append(shape.replicas, 0), append(shape.nodes, nil)
		}
		n := len(shape.nodes) - 1
		shape.replicas[n]++
		shape.nodes[n] = append(shape.nodes[n], newNode(cfg, nodeAddr(opts, host, port)))
	}
	if len(lines) == 0 {
		return shape, UnfitError("--clickhouse-cluster: the server knows no cluster " + cfg.Cluster)
	}
	if len(shape.weights) == 1 {
		shape.nodes[0] = nil
		for _, addr := range opts.Addr {
			shape.nodes[0] = append(shape.nodes[0], newNode(cfg, addr))
		}
	}
	return shape, nil
}

// newNode reaches one address with all else that the DSN says, whenever it is read.
func newNode(cfg Config, addr string) node {
	return node{name: addr, options: func() (*clickhouse.Options, error) {
		opts, err := cfg.Options()
		if err == nil {
			opts.Addr = []string{addr}
		}
		return opts, err
	}}
}

// sameShards says whether rows go where they went before: the shards are as many, weigh as much, and no server has gone from one to
// another. With one shard the servers are the DSN's.
func (c clusterShape) sameShards(other clusterShape) bool {
	if !slices.Equal(c.weights, other.weights) {
		return false
	}
	at := map[string][]int{} // a server may be in several
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

// names are the servers, to tell whether any has changed.
func (c clusterShape) names() []string {
	var out []string
	for n, nodes := range c.nodes {
		for _, one := range nodes {
			out = append(out, fmt.Sprint(n, " of ", c.replicas[n], " ", one.name))
		}
	}
	return out
}

// errFewer: some replicas have the rows, but fewer than must have them. That passes: they fetch them, or the insert failed and they are removed.
var errFewer = errors.New("rows are on fewer replicas than must have them, which copy them or take them back")
