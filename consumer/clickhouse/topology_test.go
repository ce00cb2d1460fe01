package clickhouse

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A server that hangs blocks no caller who knows the shards, and no caller whose context ends. A caller who does not
// know the shards waits.
func TestLookHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(Config{Cluster: "x", Quorum: "auto", DSN: "clickhouse://127.0.0.1:1/sluice"}, slog.New(slog.DiscardHandler))
		shape := clusterShape{weights: []uint64{1}, replicas: []int{1}, nodes: [][]node{{{name: "a:1"}}}}
		hang := make(chan struct{})
		c.topology.read = func(context.Context) (clusterShape, error) { <-hang; return shape, nil }
		go func() { _, _ = shardsOf(context.Background(), c) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, err := shardsOf(ctx, c); !errors.Is(err, ErrNotSent) || time.Since(start) != time.Second {
			t.Errorf("one who knows nothing yet: %v after %s", err, time.Since(start))
		}
		close(hang)
		synctest.Wait()
		if all, err := shardsOf(t.Context(), c); err != nil || len(all) != 1 {
			t.Fatalf("%d shards, %v", len(all), err)
		}

		hang = make(chan struct{})
		time.Sleep(topologyMaxAge) // the bubble's clock
		synctest.Wait()
		go func() { _, _ = shardsOf(context.Background(), c) }()
		synctest.Wait()
		start = time.Now()
		if all, err := shardsOf(t.Context(), c); err != nil || len(all) != 1 || time.Since(start) != 0 {
			t.Errorf("one who knows the shards: %d, %v after %s", len(all), err, time.Since(start))
		}
		shape = clusterShape{weights: []uint64{1, 1}, replicas: []int{1, 1}, nodes: [][]node{{{name: "a:1"}}, {{name: "b:1"}}}}
		close(hang)
		synctest.Wait()

		// The shards have changed. Until they change back no caller gets the old ones, nor while another caller reads.
		if _, err := shardsOf(t.Context(), c); !errors.Is(err, errOtherShards) {
			t.Errorf("other shards: %v", err)
		}
		hang = make(chan struct{})
		go func() { _, _ = shardsOf(context.Background(), c) }()
		synctest.Wait()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := shardsOf(ctx, c); !errors.Is(err, ErrNotSent) {
			t.Errorf("other shards, while somebody asks: %v", err)
		}
		close(hang)
		synctest.Wait()
	})
}

// Replicas may come and go. A server in another shard means that rows would go elsewhere.
func TestSameShards(t *testing.T) {
	shape := func(weights []uint64, shards ...string) clusterShape {
		out := clusterShape{weights: weights}
		for _, names := range shards {
			var nodes []node
			for _, name := range strings.Fields(names) {
				nodes = append(nodes, node{name: name})
			}
			out.nodes = append(out.nodes, nodes)
			out.replicas = append(out.replicas, len(nodes))
		}
		return out
	}
	before := shape([]uint64{1, 1}, "a b", "c d")
	for name, c := range map[string]struct {
		now  clusterShape
		same bool
	}{
		"as it was":          {shape([]uint64{1, 1}, "a b", "c d"), true},
		"in another order":   {shape([]uint64{1, 1}, "b a", "d c"), true},
		"one more, one less": {shape([]uint64{1, 1}, "a b e", "c"), true},
		"all others":         {shape([]uint64{1, 1}, "e", "f"), true},
		"swapped":            {shape([]uint64{1, 1}, "c d", "a b"), false},
		"one moved":          {shape([]uint64{1, 1}, "a d", "c"), false},
		"weights":            {shape([]uint64{1, 2}, "a b", "c d"), false},
		"one more shard":     {shape([]uint64{1, 1, 1}, "a b", "c d", "e"), false},
	} {
		if got := before.sameShards(c.now); got != c.same {
			t.Errorf("%s: %v", name, got)
		}
	}
}
