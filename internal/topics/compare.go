package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/segmentio/kafka-go"
)

// difference is one way in which a topic is not as it should be; fix is nil where that cannot be changed from here.
type difference struct {
	text string
	fix  func(context.Context) error
}

func (a *Admin) compare(ctx context.Context, w wanted) ([]difference, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := a.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{w.name}})
	if err != nil {
		return nil, a.unreachable(err)
	}
	if len(meta.Topics) == 0 || errors.Is(meta.Topics[0].Error, kafka.UnknownTopicOrPartition) {
		return []difference{{text: "is missing; `sluice topics apply` makes it"}}, nil
	}
	if err := meta.Topics[0].Error; err != nil {
		return nil, fmt.Errorf("describe: %w", err)
	}
	diffs := a.compareLayout(w, meta.Topics[0].Partitions)
	more, err := a.compareConfigs(ctx, w)
	return append(diffs, more...), err
}

func (a *Admin) compareLayout(w wanted, partitions []kafka.Partition) []difference {
	var diffs []difference
	if n := len(partitions); n < w.partitions {
		diffs = append(diffs, difference{
			text: fmt.Sprintf("partitions are %d, should be %d", n, w.partitions),
			fix:  func(ctx context.Context) error { return a.addPartitions(ctx, w) },
		})
	} else if n > w.partitions && !w.mayHaveMore {
		diffs = append(diffs, difference{text: fmt.Sprintf("partitions are %d and cannot become %d: Kafka never takes partitions away", n, w.partitions)})
	}
	for _, p := range partitions {
		if len(p.Replicas) != a.cfg.Replication {
			diffs = append(diffs, difference{text: fmt.Sprintf(
				"replication of partition %d is %d, should be %d; kafka-reassign-partitions.sh changes it", p.ID, len(p.Replicas), a.cfg.Replication)})
			break
		}
	}
	return diffs
}

func (a *Admin) addPartitions(ctx context.Context, w wanted) error {
	resp, err := a.client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: w.name, Count: int32(w.partitions)}}, //nolint:gosec // at most 10,000
	})
	if err != nil {
		return fmt.Errorf("add partitions: %w", err)
	}
	return resp.Errors[w.name]
}

func (a *Admin) compareConfigs(ctx context.Context, w wanted) ([]difference, error) {
	keys := slices.Sorted(maps.Keys(w.configs))
	resp, err := a.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: w.name, ConfigNames: keys,
		}},
	})
	if err != nil {
		return nil, a.unreachable(err)
	}
	current := map[string]string{}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return nil, fmt.Errorf("describe: %w", r.Error)
		}
		for _, e := range r.ConfigEntries {
			current[e.ConfigName] = e.ConfigValue
		}
	}
	var diffs []difference
	for _, key := range keys {
		if is, should := current[key], w.configs[key]; is != should {
			diffs = append(diffs, difference{
				text: fmt.Sprintf("%s is %q, should be %q", key, is, should),
				fix:  func(ctx context.Context) error { return a.setConfig(ctx, w.name, key, should) },
			})
		}
	}
	return diffs, nil
}

func (a *Admin) setConfig(ctx context.Context, topic, key, value string) error {
	resp, err := a.client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{
				Name: key, Value: value, ConfigOperation: kafka.ConfigOperationSet,
			}},
		}},
	})
	if err != nil {
		return fmt.Errorf("set %s: %w", key, err)
	}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return fmt.Errorf("set %s: %w", key, r.Error)
		}
	}
	return nil
}
