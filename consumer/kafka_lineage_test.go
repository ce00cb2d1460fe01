package consumer

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// setting changes one of the topic's.
func (b *broker) setting(t *testing.T, name, value string) {
	t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, "events"
	conf := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	conf.Name, conf.Value = name, &value
	res.Configs = append(res.Configs, conf)
	req.Resources = append(req.Resources, res)
	resp, err := req.RequestWith(t.Context(), b.other)
	if err != nil || resp.Resources[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
}

// The leader says where an epoch ended, and the topic has an id, which is another one when it was made anew.
func TestLineage(t *testing.T) {
	b := newBroker(t, 2)
	b.write(t, 1, plain(0), plain(1), plain(2))
	_, at, err := b.read(t, 1, 0)
	if err != nil || at.term == 0 {
		t.Fatalf("%+v %v", at, err)
	}
	first, err := b.lineage(t.Context(), 1, at.term)
	if err != nil || first.end != 3 || first.topic == (topicID{}) {
		t.Fatalf("%+v %v", first, err)
	}
	if got, err := b.lineage(t.Context(), 1, 0); err != nil || got.end != -1 || got.topic != first.topic {
		t.Errorf("without a term: %+v %v", got, err)
	}
	if _, err := b.lineage(t.Context(), 99, at.term); err == nil {
		t.Error("a partition that is not there has a past")
	}
	b.remake(t)
	again, err := b.lineage(t.Context(), 1, 0)
	if err != nil || again.topic == first.topic || again.topic == (topicID{}) {
		t.Errorf("made anew: %+v %v, was %+v", again, err, first)
	}
}

// remake deletes the topic and makes it again.
func (b *broker) remake(t *testing.T) {
	t.Helper()
	del := kmsg.NewPtrDeleteTopicsRequest()
	name := "events"
	del.TopicNames = []string{name}
	one := kmsg.NewDeleteTopicsRequestTopic()
	one.Topic = &name
	del.Topics = append(del.Topics, one)
	if resp, err := del.RequestWith(t.Context(), b.other); err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
	add := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, 2, 1
	add.Topics = append(add.Topics, topic)
	add.TimeoutMillis = int32(10 * time.Second / time.Millisecond)
	if resp, err := add.RequestWith(t.Context(), b.other); err != nil || resp.Topics[0].ErrorCode != 0 {
		t.Fatal(err, resp)
	}
}

// Answers that are cut short, wherever, are errors and nothing worse.
func TestLineageAnswersCutShort(t *testing.T) {
	epoch := []byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 'e', 0, 0, 0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 42}
	if end, err := epochAnswer(epoch); err != nil || end != 42 {
		t.Errorf("%d %v", end, err)
	}
	topic := append([]byte{0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 2, 'h', 0, 0, 0x23, 0x84, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 2, 'e'},
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
	if id, err := topicAnswer(topic); err != nil || id != (topicID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}) {
		t.Errorf("%v %v", id, err)
	}
	for n := range len(epoch) {
		if _, err := epochAnswer(epoch[:n]); err == nil {
			t.Errorf("the end of an epoch in %d bytes", n)
		}
	}
	for n := range len(topic) {
		if _, err := topicAnswer(topic[:n]); err == nil {
			t.Errorf("a topic's id in %d bytes", n)
		}
	}
}
