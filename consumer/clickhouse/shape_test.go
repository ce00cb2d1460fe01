package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// system.clusters says where rows go. The DSN says how the servers are reached.
func TestReadShape(t *testing.T) {
	d := clickhousetest.New(t)
	store := reach(d.Native())
	for _, tc := range []struct {
		cluster string
		want    string
	}{
		{"two", "[1 2] [1 1] [0 of 1 ADDR 1 of 1 ADDR]"},
		{"three", "[1 5] [1 2] [0 of 1 ADDR 1 of 2 ADDR 1 of 2 ADDR]"},
		{"single", "[1] [2] [0 of 2 ADDR]"}, // one shard: through the DSN
	} {
		store.Cluster = tc.cluster
		c := newCluster(store, nil)
		shape, err := c.topology.read(t.Context())
		c.Close()
		if got := fmt.Sprint(shape.weights, shape.replicas, shape.names()); err != nil || got != strings.ReplaceAll(tc.want, "ADDR", clickhousetest.Engine(t).TCPAddr()) {
			t.Errorf("%s: %s, error %v", tc.cluster, got, err)
		}
	}
	store.Cluster = "four"
	c := newCluster(store, nil)
	defer c.Close()
	if _, err := c.topology.read(t.Context()); err == nil || !isSetup(err) || !strings.Contains(err.Error(), "four") {
		t.Errorf("a cluster that is not there: %v", err)
	}
}

func TestNodeAddr(t *testing.T) {
	for dsn, want := range map[string]string{
		"clickhouse://u:p@front:9000/db":             "ch-1:9001", // native: each server's own port
		"clickhouse://u:p@front/db":                  "ch-1:9001",
		"clickhouse://u:p@front:9440/db?secure=true": "ch-1:9440", // what its peers use may not be TLS
		"http://u:p@front:8124/db":                   "ch-1:8124",
		"https://u:p@front/db":                       "ch-1:8443",
		"clickhouse://u:p@one:9000,two:9000/db":      "ch-1:9001",
		"clickhouse://u:p@one:19440/db?secure=true":  "ch-1:19440",
	} {
		opts, err := Config{DSN: dsn}.Options()
		if err != nil {
			t.Fatal(err)
		}
		if got := nodeAddr(opts, "ch-1", "9001"); got != want {
			t.Errorf("%s: %s, want %s", dsn, got, want)
		}
	}
	if got := nodeAddr(&clickhouse.Options{}, "fd00::1", "9000"); got != "[fd00::1]:9000" {
		t.Errorf("IPv6: %s", got)
	}
}

// A node has everything of the DSN but the address, as the DSN is when it is used.
func TestNodeReadsTheDSN(t *testing.T) {
	n := newNode(Config{DSN: "clickhouse://u:p@front:9000/db"}, "ch-2:9000")
	opts, err := n.options()
	if err != nil || fmt.Sprintf("%s %s %s", opts.Addr, opts.Auth.Username, opts.Auth.Database) != "[ch-2:9000] u db" {
		t.Errorf("%+v, error %v", opts, err)
	}
	if _, err := newNode(Config{DSN: "nonsense"}, "x:1").options(); err == nil {
		t.Error("no error")
	}
}

func TestQuorum(t *testing.T) {
	for setting, want := range map[string][]int{"auto": {1, 2, 2, 3, 3}, "": {1, 2, 2, 3, 3}, "1": {1, 1, 1, 1, 1}, "2": {2, 2, 2, 2, 2}, "100": {100, 100, 100, 100, 100}} {
		for n, w := range want {
			if got, err := quorumOf(setting, n+1); got != w || err != nil {
				t.Errorf("%q of %d: %d, error %v; want %d", setting, n+1, got, err, w)
			}
		}
	}
	for _, setting := range []string{"0", "-1", "101", "most", "1.5", " 1"} {
		if _, err := quorumOf(setting, 3); err == nil {
			t.Errorf("no error for %q", setting)
		}
	}
}

// A change of the replicas is followed. Other shards than before are refused, because rows would not meet their first
// copies.
func TestShapeChanges(t *testing.T) {
	a, b := clickhousetest.NewShard(t), clickhousetest.NewShard(t)
	one := clusterShape{weights: []uint64{1, 1}, replicas: []int{1, 1}, nodes: [][]node{{nodeOf(reach(a.Native()))}, {nodeOf(reach(b.Native()))}}}
	var now clusterShape
	var failure error
	c := clusterOf(t, "1", one)
	c.topology.read = func(context.Context) (clusterShape, error) { return now, failure }
	look := func() ([]*shard, error) {
		c.topology.stale = true
		all, err := shardsOf(t.Context(), c)
		return all, err
	}
	failure = errors.New("away")
	if _, err := look(); !errors.Is(err, ErrNotSent) || isSetup(err) {
		t.Errorf("the first look fails: %v", err)
	}
	now, failure = one, nil
	first, err := look()
	if err != nil || len(first) != 2 {
		t.Fatalf("%v, error %v", first, err)
	}
	if again, err := look(); err != nil || again[0] != first[0] {
		t.Errorf("nothing changed: error %v", err)
	}
	failure = errors.New("away")
	if again, err := look(); err != nil || again[0] != first[0] {
		t.Errorf("nobody says whether anything changed: error %v", err)
	}
	now, failure = clusterShape{weights: []uint64{1, 1}, replicas: []int{2, 1}, nodes: [][]node{{nodeOf(reach(a.Native())), newNode(reach(a.Native()), "other:9000")}, {nodeOf(reach(b.Native()))}}}, nil
	if again, err := look(); err != nil || len(again[0].replicas) != 2 {
		t.Errorf("a replica more: error %v", err)
	}
	for _, weights := range [][]uint64{{1, 2}, {1}, {1, 1, 1}} {
		now.weights = weights
		if _, err := look(); !errors.Is(err, errOtherShards) || !isSetup(err) || IsUncertain(err) {
			t.Errorf("%v: %v", weights, err)
		}
		if _, err := shardsOf(t.Context(), c); !errors.Is(err, errOtherShards) {
			t.Errorf("%v, asked again: %v", weights, err)
		}
	}
	now.weights = one.weights
	if _, err := look(); err != nil {
		t.Errorf("as before: %v", err)
	}
}

// The shards are read once a minute although nothing failed, and no sooner.
func TestShapeIsLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clusterOf(t, "1", clusterShape{nodes: [][]node{{newNode(Config{}, "a:1")}}})
		looks, shape := 0, c.topology.read
		c.topology.read = func(ctx context.Context) (clusterShape, error) {
			looks++
			return shape(ctx)
		}
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 1}, {topologyMaxAge - 1, 1}, {1, 2}, {topologyMaxAge - 1, 2}, {2, 3}} {
			time.Sleep(step.after)
			if _, err := shardsOf(t.Context(), c); err != nil || looks != step.want {
				t.Errorf("%d looks, want %d, error %v", looks, step.want, err)
			}
		}
	})
}

// A quorum of more replicas than the shard has is refused.
func TestQuorumOfTooFew(t *testing.T) {
	for quorum, wrong := range map[string]bool{"auto": false, "1": false, "2": false, "3": true} {
		c := clusterOf(t, quorum, clusterShape{nodes: [][]node{{newNode(Config{}, "a:1"), newNode(Config{}, "b:1")}}})
		all, err := shardsOf(t.Context(), c)
		if (err != nil) != wrong || err != nil && !isSetup(err) {
			t.Errorf("%s of 2: %v", quorum, err)
		}
		if err == nil && quorum != "1" && all[0].quorum != 2 {
			t.Errorf("%s of 2 is %d", quorum, all[0].quorum)
		}
	}
}
