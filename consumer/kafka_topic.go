package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
)

// topicInterval is how often a consumer looks at how many partitions the topic has. It costs no request: the transport asks for
// metadata anyway.
const topicInterval = 3 * time.Second

// errNoTopic: nobody has made the topic yet.
var errNoTopic = errors.New("the topic does not exist, or this user may not see it: make it with `sluice topics apply`, or correct --kafka-topic")

// partitions is how many partitions the topic has.
func (k *cluster) partitions(ctx context.Context) (int, error) {
	all, err := k.partitionsOf(ctx, []string{k.conn.Topic})
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 0, fmt.Errorf("topic %s: %w", k.conn.Topic, errNoTopic)
	}
	return len(all), nil
}

// partitionsOf lists the partitions of topics; those that are not there have none.
func (k *cluster) partitionsOf(ctx context.Context, topics []string) ([]kafka.Partition, error) {
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

// watchTopic ends a generation whose leader shared out another number of partitions than there are: some were added since, or while it
// did. Fewer are believed at the second look, because a broker that was away for long may not know of all. None end nothing: a topic
// that is gone is said, and what is fetched from it is tried again.
func (k *cluster) watchTopic(ctx context.Context, g *generation) {
	ticker := time.NewTicker(topicInterval)
	defer ticker.Stop()
	fewer, missing := false, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		n, err := k.partitions(ctx)
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
			k.log.Info("the topic has another number of partitions, sharing them out again", "topic", k.conn.Topic, "shared", g.shared, "partitions", n)
			g.over()
			return
		}
		fewer = n < g.shared
	}
}
