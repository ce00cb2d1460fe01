package kafka

import (
	"context"
	"fmt"
	"strconv"

	"github.com/segmentio/kafka-go"

	"sluice/gateway/broker"
)

// Describe reads the topic's settings and replicas. It needs the right to describe the topic's configuration.
func (k *Producer) Describe(ctx context.Context) (broker.TopicSettings, error) {
	var t broker.TopicSettings
	meta, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{k.topic}})
	if err != nil {
		return t, fmt.Errorf("metadata: %w", err)
	}
	for _, topic := range meta.Topics {
		if topic.Error != nil {
			return t, fmt.Errorf("%w (sluice topics apply makes it)", topic.Error)
		}
		for i, p := range topic.Partitions {
			if n := len(p.Replicas); i == 0 || n < t.Replicas {
				t.Replicas = n
			}
		}
	}
	resp, err := k.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: k.topic,
			ConfigNames: []string{
				"max.message.bytes", "cleanup.policy", "message.timestamp.type", "min.insync.replicas",
			},
		}},
	})
	if err != nil {
		return t, fmt.Errorf("describe configs: %w", err)
	}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return t, fmt.Errorf("describe configs: %w: %w", broker.ErrAnswered, r.Error)
		}
		for _, e := range r.ConfigEntries {
			setTopic(&t, e.ConfigName, e.ConfigValue)
		}
	}
	return t, nil
}

// setTopic sets the field of one setting. A value that should be a number and is none counts as not known.
func setTopic(t *broker.TopicSettings, name, value string) {
	number := func() int { n, _ := strconv.Atoi(value); return n }
	switch name {
	case "max.message.bytes":
		t.MaxBatch = number()
	case "cleanup.policy":
		t.Cleanup = value
	case "message.timestamp.type":
		t.Timestamp = value
	case "min.insync.replicas":
		t.MinISR = number()
	}
}
