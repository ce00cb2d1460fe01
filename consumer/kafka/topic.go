package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// topicInterval is how often a consumer compares the number of the topic's partitions with what was shared out. It costs no request:
// the transport reads metadata anyway.
const topicInterval = 3 * time.Second

var errNoTopic = errors.New("the topic does not exist, or this user may not see it: " +
	"make it with `sluice topics apply`, or correct --kafka-topic")

// Partitions is how many partitions the topic has.
func (k *Client) Partitions(ctx context.Context) (int, error) {
	all, err := k.partitionsOf(ctx, []string{k.conn.Topic})
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 0, fmt.Errorf("topic %s: %w", k.conn.Topic, errNoTopic)
	}
	return len(all), nil
}

// partitionsOf lists the partitions of topics. A topic that does not exist has none.
func (k *Client) partitionsOf(ctx context.Context, topics []string) ([]kafka.Partition, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	var all []kafka.Partition
	for _, t := range meta.Topics {
		switch {
		case !slices.Contains(topics, t.Name), errors.Is(t.Error, kafka.UnknownTopicOrPartition):
		case t.Error != nil && len(t.Partitions) == 0:
			return nil, fmt.Errorf("metadata of topic %s: %w", t.Name, t.Error)
		default:
			for _, p := range t.Partitions {
				p.Topic = t.Name
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// watchTopic ends a generation whose leader shared out another number of partitions than the topic has. It believes a lower number
// only at the second look, because a broker that was away for long may not know all partitions. A topic that is gone does not end the
// generation: watchTopic logs it, and fetches from it are retried.
func (k *Client) watchTopic(ctx context.Context, g *Generation) {
	ticker := time.NewTicker(topicInterval)
	defer ticker.Stop()
	fewer, missing := false, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		n, err := k.Partitions(ctx)
		switch {
		case errors.Is(err, errNoTopic):
			if !missing {
				k.log.Warn("the topic has gone, retrying", "err", err)
			}
			missing = true
			continue
		case err != nil:
			continue
		}
		missing = false
		if g.leader && (n > g.shared || n < g.shared && fewer) {
			k.log.Info("the topic has another number of partitions, sharing them out again",
				"topic", k.conn.Topic, "shared", g.shared, "partitions", n)
			g.over()
			return
		}
		fewer = n < g.shared
	}
}
