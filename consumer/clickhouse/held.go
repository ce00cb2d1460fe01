package clickhouse

import (
	"context"
	"fmt"
	"sync"

	"github.com/google/uuid"
)

func (i *inserter) Held(ctx context.Context, topic string, partition int, from, to int64) (n int64, err error) {
	query := fmt.Sprintf("SELECT toInt64(uniqExact(_offset)), any(event_id) FROM %%s WHERE _topic = %s AND _partition = %d AND _offset BETWEEN %d AND %d HAVING count() > 0",
		Quote(topic), partition, from, to)
	err = i.ask(ctx, query, func(count int64, _ uuid.UUID) { n = count })
	return n, err
}

func (p *pool) Held(ctx context.Context, topic string, partition int, from, to int64) (n int64, err error) {
	err = p.use(ctx, func(i *inserter) error {
		n, err = i.Held(ctx, topic, partition, from, to)
		return err
	})
	return n, err
}

// held is what the replica says that has most.
func (s *shard) held(ctx context.Context, topic string, partition int, from, to int64) (int64, error) {
	most := int64(0)
	var mu sync.Mutex
	err := s.ask(func(replica *pool) error {
		n, err := replica.Held(ctx, topic, partition, from, to)
		mu.Lock()
		defer mu.Unlock()
		most = max(most, n)
		return err
	})
	return most, err
}

// Held adds up the shards, each of which has other rows.
func (c *clusterTable) Held(ctx context.Context, topic string, partition int, from, to int64) (int64, error) {
	_, all, err := c.look(ctx)
	if err != nil {
		return 0, err
	}
	counts := make([]int64, len(all))
	if err := each(all, func(n int, s *shard) (err error) {
		counts[n], err = s.held(ctx, topic, partition, from, to)
		return err
	}); err != nil {
		return 0, c.failed(err)
	}
	sum := int64(0)
	for _, n := range counts {
		sum += n
	}
	return sum, nil
}
