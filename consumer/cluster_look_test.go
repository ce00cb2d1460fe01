package consumer

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// A server that stands still holds up nobody who knows the shards, nor anybody whose context ends; those that must know wait.
func TestLookHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClusterTable(Store{Cluster: "x", Quorum: "auto", DSN: "clickhouse://127.0.0.1:1/sluice"}, slog.New(slog.DiscardHandler))
		shape := clusterShape{weights: []uint64{1}, replicas: []int{1}, nodes: [][]node{{{name: "a:1"}}}}
		hang := make(chan struct{})
		c.shape = func(context.Context) (clusterShape, error) { <-hang; return shape, nil }
		go func() { _, _, _ = c.look(context.Background()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if _, _, err := c.look(ctx); !errors.Is(err, errNotSent) || time.Since(start) != time.Second {
			t.Errorf("one who knows nothing yet: %v after %s", err, time.Since(start))
		}
		close(hang)
		synctest.Wait()
		if _, all, err := c.look(t.Context()); err != nil || len(all) != 1 {
			t.Fatalf("%d shards, %v", len(all), err)
		}

		hang = make(chan struct{})
		pass(lookEvery)
		go func() { _, _, _ = c.look(context.Background()) }()
		synctest.Wait()
		start = time.Now()
		if _, all, err := c.look(t.Context()); err != nil || len(all) != 1 || time.Since(start) != 0 {
			t.Errorf("one who knows the shards: %d, %v after %s", len(all), err, time.Since(start))
		}
		shape = clusterShape{weights: []uint64{1, 1}, replicas: []int{1, 1}, nodes: [][]node{{{name: "a:1"}}, {{name: "b:1"}}}}
		close(hang)
		synctest.Wait()

		// The shards are others now. Until they are what they were nobody works with those of before, also while somebody asks.
		if _, _, err := c.look(t.Context()); !errors.Is(err, errOtherShards) {
			t.Errorf("other shards: %v", err)
		}
		hang = make(chan struct{})
		go func() { _, _, _ = c.look(context.Background()) }()
		synctest.Wait()
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := c.look(ctx); !errors.Is(err, errNotSent) {
			t.Errorf("other shards, while somebody asks: %v", err)
		}
		close(hang)
		synctest.Wait()
	})
}
