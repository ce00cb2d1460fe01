package e2e

import (
	"bytes"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// members counts the live members of the scenario's group.
func (p *pipeline) members() int {
	p.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(lab.brokers, ",")...))
	if err != nil {
		p.t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{p.name}
	resp, err := req.RequestWith(p.t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Groups[0].ErrorCode)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return len(resp.Groups[0].Members)
}

// configs are the settings of a topic that are in force.
func (p *pipeline) configs(topic string) map[string]string {
	p.t.Helper()
	resp, err := p.client().DescribeConfigs(p.t.Context(), &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	out := map[string]string{}
	for _, e := range resp.Resources[0].ConfigEntries {
		out[e.ConfigName] = e.ConfigValue
	}
	return out
}

// configure changes a setting of a topic past Sluice.
func (p *pipeline) configure(topic, name, value string) {
	p.t.Helper()
	resp, err := p.client().IncrementalAlterConfigs(p.t.Context(), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet}},
		}},
	})
	if err == nil {
		err = resp.Resources[0].Error
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.eventually(name+" in force", func() bool { return p.configs(topic)[name] == value })
}

func (p *pipeline) addPartitions(topic string, n int32) {
	p.t.Helper()
	resp, err := p.client().CreatePartitions(p.t.Context(), &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: n}},
	})
	if err == nil {
		err = resp.Errors[topic]
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.eventually("the partitions there", func() bool {
		ends, err := p.tryEnds(topic)
		return err == nil && len(ends) == int(n)
	})
}

// produceAt puts records of 100 KB and a time on partition 0.
func (p *pipeline) produceAt(at time.Time, n int) {
	p.t.Helper()
	records := make([]kafka.Record, n)
	for i := range records {
		records[i] = kafka.Record{Time: at, Value: kafka.NewBytes(bytes.Repeat([]byte("x"), 100_000))}
	}
	p.produce(0, records...)
}
