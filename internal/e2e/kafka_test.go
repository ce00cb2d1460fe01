package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

func (p *pipeline) client() *kafka.Client {
	if p.kafkaClient == nil {
		transport := &kafka.Transport{MetadataTTL: time.Second}
		p.t.Cleanup(transport.CloseIdleConnections)
		p.kafkaClient = &kafka.Client{Addr: kafka.TCP(strings.Split(lab.brokers, ",")...), Transport: transport, Timeout: 10 * time.Second}
	}
	return p.kafkaClient
}

// ends lists the offset after the last record of each partition of a topic. It asks again while the broker is too busy
// to answer.
func (p *pipeline) ends(topic string) (ends map[int]int64) {
	p.t.Helper()
	p.eventually("the ends of "+topic, func() bool {
		var err error
		ends, err = p.tryEnds(topic)
		return err == nil
	})
	return ends
}

func (p *pipeline) tryEnds(topic string) (map[int]int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c := p.client()
	meta, err := c.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	var asked []kafka.OffsetRequest
	for _, part := range meta.Topics[0].Partitions {
		asked = append(asked, kafka.LastOffsetOf(part.ID))
	}
	resp, err := c.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asked}})
	if err != nil {
		return nil, err
	}
	out := map[int]int64{}
	for _, part := range resp.Topics[topic] {
		if part.Error != nil {
			return nil, part.Error
		}
		out[part.Partition] = part.LastOffset
	}
	return out, nil
}

// records counts what is on a topic.
func (p *pipeline) records(topic string) int64 {
	p.t.Helper()
	var n int64
	for _, end := range p.ends(topic) {
		n += end
	}
	return n
}

// lag is how many records the group has not committed. It asks again while the broker is too busy to answer.
func (p *pipeline) lag() (lag int64) {
	p.t.Helper()
	p.eventually("the group's lag", func() bool {
		var err error
		lag, err = p.readLag()
		return err == nil
	})
	return lag
}

// tryLag is lag while the broker may be too busy to answer: -1 then.
func (p *pipeline) tryLag() int64 {
	lag, err := p.readLag()
	if err != nil {
		return -1
	}
	return lag
}

func (p *pipeline) readLag() (int64, error) {
	ends, err := p.tryEnds(p.name)
	if err != nil {
		return 0, err
	}
	var partitions []int
	for id := range ends {
		partitions = append(partitions, id)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	resp, err := p.client().OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: p.name, Topics: map[string][]int{p.name: partitions}})
	if err != nil {
		return 0, err
	}
	var lag int64
	for _, part := range resp.Topics[p.name] {
		lag += ends[part.Partition] - max(0, part.CommittedOffset)
	}
	return lag, nil
}

// produce puts records straight onto a partition of the topic, past the gateway.
func (p *pipeline) produce(partition int, records ...kafka.Record) {
	p.t.Helper()
	p.eventually("the topic known", func() bool {
		resp, err := p.client().Produce(p.t.Context(), &kafka.ProduceRequest{
			Topic: p.name, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
		})
		if errors.Is(err, protocol.ErrNoTopic) {
			return false // nothing was sent
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if resp.Error != nil {
			p.t.Fatal(resp.Error)
		}
		return true
	})
}

// limitedProjects writes a projects file with a rate limit.
func (p *pipeline) limitedProjects(events int, window string) string {
	p.t.Helper()
	sum := sha256.Sum256([]byte(key))
	path := filepath.Join(p.t.TempDir(), "limited.yaml")
	text := fmt.Sprintf("projects:\n  - id: e2e\n    keys: [{name: test, sha256: %s}]\n    limit: {events: %d, window: %s}\n", hex.EncodeToString(sum[:]), events, window)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}
