package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// state is a topic's layout and settings in Kafka.
type state struct {
	missing    bool
	partitions []kafka.Partition
	// configs are the effective settings: the topic's own, or else the broker's.
	configs map[string]string
	// inherited names the settings that the topic inherits from the brokers.
	inherited map[string]bool
}

// configSourceTopic is Kafka's code for a setting made on the topic itself.
const configSourceTopic = 1

// replication returns the number of copies of the partition with the fewest.
func (s state) replication() int {
	least := 0
	for i, p := range s.partitions {
		if i == 0 || len(p.Replicas) < least {
			least = len(p.Replicas)
		}
	}
	return least
}

// number returns a setting as a whole number. It returns false if the broker does not report the setting or its value
// is no number.
func (s state) number(key string) (int64, bool) {
	n, err := strconv.ParseInt(s.configs[key], 10, 64)
	return n, err == nil
}

// describe reads a topic's layout and settings.
func (a *Admin) describe(ctx context.Context, topic string) (state, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := a.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return state{}, a.unreachable(err)
	}
	if len(meta.Topics) == 0 || errors.Is(meta.Topics[0].Error, kafka.UnknownTopicOrPartition) {
		return state{missing: true}, nil
	}
	if err := meta.Topics[0].Error; err != nil {
		return state{}, fmt.Errorf("describe: %w", err)
	}
	s := state{partitions: meta.Topics[0].Partitions, configs: map[string]string{}, inherited: map[string]bool{}}
	entries, err := a.describeConfigs(ctx, kafka.ResourceTypeTopic, topic)
	if err != nil {
		return state{}, err
	}
	for _, e := range entries {
		s.configs[e.ConfigName] = e.ConfigValue
		s.inherited[e.ConfigName] = e.ConfigSource != configSourceTopic
	}
	return s, nil
}

func (a *Admin) describeConfigs(ctx context.Context, kind kafka.ResourceType, name string, keys ...string) (
	[]kafka.DescribeConfigResponseConfigEntry, error,
) {
	resp, err := a.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kind, ResourceName: name, ConfigNames: keys}},
	})
	if err != nil {
		return nil, a.unreachable(err)
	}
	if len(resp.Resources) == 0 {
		return nil, errors.New("describe: Kafka's answer lacks the settings")
	}
	if err := resp.Resources[0].Error; err != nil {
		return nil, fmt.Errorf("describe: %w", err)
	}
	return resp.Resources[0].ConfigEntries, nil
}

// uncleanBrokers returns the ids of the brokers whose default allows an unclean leader election.
func (a *Admin) uncleanBrokers(ctx context.Context) ([]int, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	meta, err := a.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{a.conn.Topic}})
	if err != nil {
		return nil, a.unreachable(err)
	}
	var unclean []int
	for _, b := range meta.Brokers {
		entries, err := a.describeConfigs(ctx, kafka.ResourceTypeBroker, strconv.Itoa(b.ID), keyUnclean)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.ConfigName == keyUnclean && e.ConfigValue == "true" {
				unclean = append(unclean, b.ID)
			}
		}
	}
	slices.Sort(unclean)
	return unclean, nil
}

func (a *Admin) addPartitions(ctx context.Context, topic string, n int) error {
	resp, err := a.client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: int32(n)}},
	})
	if err != nil {
		return fmt.Errorf("add partitions: %w", err)
	}
	return resp.Errors[topic]
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
