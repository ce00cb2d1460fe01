package deadletters

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"sluice/internal/backoff"
)

// pollEvery is how often Replay.Fate asks how far the consumers are.
const pollEvery = 200 * time.Millisecond

// Fate is what became of replayed letters.
type Fate struct {
	// Waiting is how many the consumers have not come to. The others are rows, unless a configured step drops them,
	// or they are in Again.
	Waiting int
	// Again are the letters that died again, as they are on the dead-letter topic now.
	Again []Letter
}

// Fate waits until a consumer group has come past every replayed letter, but not longer than until ctx ends, and
// returns what became of them.
func (r *Replay) Fate(ctx context.Context, group string) (Fate, error) {
	waiting, err := r.waiting(ctx, group)
	for err == nil && waiting > 0 && backoff.Sleep(ctx, pollEvery) {
		waiting, err = r.waiting(ctx, group)
	}
	if err != nil && ctx.Err() == nil {
		return Fate{}, err
	}
	fate := Fate{Waiting: waiting}
	asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), 6*requestTimeout)
	defer cancel()
	now, err := r.desk.extents(asking, r.desk.conn.DeadTopic)
	if err != nil {
		return fate, err
	}
	for i, e := range now {
		if i < len(r.before) {
			e.first = max(e.first, r.before[i].end)
		}
		for l, err := range r.desk.read(asking, e) {
			if err != nil {
				return fate, err
			}
			if _, ours := r.written[l.From]; ours && l.Topic == r.desk.conn.Topic {
				fate.Again = append(fate.Again, l)
			}
		}
	}
	return fate, nil
}

// waiting returns how many replayed letters the group's committed offsets have not passed.
func (r *Replay) waiting(ctx context.Context, group string) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	partitions := make([]int, r.partitions)
	for i := range partitions {
		partitions[i] = i
	}
	topic := r.desk.conn.Topic
	resp, err := r.desk.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: group, Topics: map[string][]int{topic: partitions},
	})
	if err == nil {
		err = resp.Error
	}
	if err != nil {
		return len(r.written), fmt.Errorf("ask Kafka how far the consumer group %s is: %w", group, err)
	}
	committed := map[int]int64{}
	for _, p := range resp.Topics[topic] {
		committed[p.Partition] = p.CommittedOffset
	}
	for place := range r.written {
		if committed[place.Partition] <= place.Offset {
			n++
		}
	}
	return n, nil
}
