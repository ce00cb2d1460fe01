package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// leadersAge is how long it is believed who leads which partition. A leader that has changed says so.
const leadersAge = time.Second

// leaders are the brokers that lead the topic's partitions, as the transport knows them. They are safe for concurrent
// use.
type leaders struct {
	read func(ctx context.Context) ([]kafka.Partition, error)

	look  sync.Mutex // held while they are read
	mu    sync.Mutex
	by    map[int]int // by partition; never changed, only replaced
	known time.Time   // when it was read
}

// of is the broker that leads a partition.
func (l *leaders) of(ctx context.Context, partition int) (int, error) {
	if id, fresh := l.fresh(partition); fresh {
		return id, nil
	}
	l.look.Lock()
	defer l.look.Unlock()
	if id, fresh := l.fresh(partition); fresh { // somebody else has read it
		return id, nil
	}
	all, err := l.read(ctx)
	if err != nil {
		return 0, err
	}
	by := make(map[int]int, len(all))
	for _, p := range all {
		by[p.ID] = p.Leader.ID
	}
	l.mu.Lock()
	l.by, l.known = by, time.Now()
	l.mu.Unlock()
	id, ok := by[partition]
	if !ok {
		return 0, fmt.Errorf("partition %d: %w", partition, kafka.UnknownTopicOrPartition)
	}
	return id, nil
}

func (l *leaders) fresh(partition int) (id int, fresh bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, ok := l.by[partition]
	return id, ok && time.Since(l.known) < leadersAge
}

// all are the leaders by partition, as they were known last. The caller must not change the map.
func (l *leaders) all() map[int]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by
}

// forget has them read again.
func (l *leaders) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = time.Time{}
}
