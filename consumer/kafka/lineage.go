package kafka

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"

	"sluice/internal/kafkawire"
	"sluice/internal/together"
)

// Lineage tells a partition's log from another one with the same offsets.
type Lineage struct {
	// Topic is the topic's id: a topic that was deleted and made again has another one. It is zero if the broker has no
	// ids, as before Kafka 2.8.
	Topic uuid.UUID
	// End is where the records of an epoch end on the leader's log, -1 if that is unknown. Records of that epoch from
	// End on are not on the topic any more.
	End int64
}

const (
	// The versions of both requests. Brokers know them since Kafka 2.3 and 2.8.
	epochVersion = 3
	topicVersion = 10

	offsetForLeaderEpoch = protocol.ApiKey(23)
	// maxLineageBytes is the largest answer to either request that is read.
	maxLineageBytes = 4 << 20
	// lineageTimeout is shorter than that of other requests, because after a failed fetch Lineage delays the next one.
	lineageTimeout = 3 * time.Second
)

// Lineage asks for the topic's id and, unless term is 0, for the end of the term's epoch. It leaves out what the
// brokers do not know.
func (k *Client) Lineage(ctx context.Context, partition int, term int32) (out Lineage, err error) {
	ctx, cancel := context.WithTimeout(ctx, lineageTimeout)
	defer cancel()
	defer func() {
		if err != nil {
			k.forgetVersions() // a broker of another version may have answered
		}
	}()
	out = Lineage{End: -1}
	versions, err := k.brokerVersions(ctx)
	if err != nil {
		return out, err
	}
	if versions[int(protocol.Metadata)] >= topicVersion {
		if out.Topic, err = k.topicIDs.Ask(ctx, struct{}{}); err != nil {
			return out, fmt.Errorf("topic id: %w", err)
		}
	}
	if epoch := term - 1; epoch >= 0 && versions[int(offsetForLeaderEpoch)] >= epochVersion {
		ask := newLeaderRequest(k.conn.Topic, int32(partition), epoch)
		if _, err := k.transport.RoundTrip(ctx, k.client.Addr, ask); err != nil {
			return out, fmt.Errorf("end of epoch %d: %w", epoch, err)
		}
		if out.End, err = epochResponse(ask.answer); err != nil {
			return out, fmt.Errorf("end of epoch %d: %w", epoch, err)
		}
	}
	return out, nil
}

// topicIDOfAll asks once for all who ask at the same time.
func (k *Client) topicIDOfAll(ctx context.Context, all []struct{}) []together.Answer[uuid.UUID] {
	out := together.Answer[uuid.UUID]{}
	ask := &rawRequest{key: protocol.Metadata, version: topicVersion, body: topicRequest(k.conn.Topic)}
	if _, out.Err = k.transport.RoundTrip(ctx, k.client.Addr, ask); out.Err == nil {
		out.Value, out.Err = topicResponse(ask.answer)
	}
	return slices.Repeat([]together.Answer[uuid.UUID]{out}, len(all))
}

// brokerVersions is the highest version of each request that the brokers know. It asks them once, and again after
// forgetVersions.
func (k *Client) brokerVersions(ctx context.Context) (map[int]int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.versions != nil {
		return k.versions, nil
	}
	resp, err := k.client.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err != nil {
		return nil, fmt.Errorf("versions: %w", err)
	}
	if resp.Error != nil {
		return nil, fmt.Errorf("versions: %w", resp.Error)
	}
	k.versions = map[int]int{}
	for _, key := range resp.ApiKeys {
		k.versions[key.ApiKey] = key.MaxVersion
	}
	return k.versions, nil
}

// forgetVersions has the brokers asked again. Older brokers may have replaced them, and those close the connection at a
// version that they do not know.
func (k *Client) forgetVersions() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.versions = nil
}

// rawRequest is a request that kafka-go does not know, or not in that version. kafka-go's transport sends it to any
// broker.
type rawRequest struct {
	key     protocol.ApiKey
	version int16
	body    []byte
	answer  []byte
}

// leaderRequest is a rawRequest for a partition's leader.
type leaderRequest struct {
	rawRequest

	route fetchapi.Request
}

func newLeaderRequest(topic string, partition, epoch int32) *leaderRequest {
	r := &leaderRequest{rawRequest: rawRequest{
		key: offsetForLeaderEpoch, version: epochVersion, body: epochRequest(topic, partition, epoch),
	}}
	r.route.Topics = []fetchapi.RequestTopic{{Topic: topic,
		Partitions: []fetchapi.RequestPartition{{Partition: partition}}}}
	return r
}

// Broker has kafka-go's transport send the request to the leader.
func (r *leaderRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return r.route.Broker(cluster)
}

// ApiKey is part of protocol.Message.
func (r *rawRequest) ApiKey() protocol.ApiKey { return r.key }

// Required has kafka-go's transport call RawExchange.
func (r *rawRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange sends the request and reads the answer.
func (r *rawRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	const correlation = 1 // one request at a time on a connection
	b := binary.BigEndian.AppendUint16(make([]byte, 4, 128), uint16(r.key))
	b = binary.BigEndian.AppendUint16(b, uint16(r.version))
	b = binary.BigEndian.AppendUint32(b, correlation)
	b = append(appendText(b, clientID), r.body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	if _, err := rw.Write(b); err != nil {
		return nil, err
	}
	answer, err := readAnswer(rw, nil, maxLineageBytes, correlation)
	if err != nil {
		return nil, err
	}
	r.answer = answer[4:]
	return r, nil
}

func epochRequest(topic string, partition, epoch int32) []byte {
	b := binary.BigEndian.AppendUint32(nil, ^uint32(0)) // not a replica
	b = appendText(binary.BigEndian.AppendUint32(b, 1), topic)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(partition))
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // whatever the leader's epoch is
	return binary.BigEndian.AppendUint32(b, uint32(epoch))
}

func epochResponse(b []byte) (int64, error) {
	r := kafkawire.Reader{Rest: b}
	r.Skip(4) // throttling
	topics := r.Int32()
	r.Skip(int(r.Int16()))
	partitions := r.Int32()
	code := kafka.Error(r.Int16())
	r.Skip(4 + 4) // partition, epoch
	end := r.Int64()
	switch {
	case topics != 1 || partitions != 1 || r.Short:
		return -1, errShortAnswer
	case code == kafka.TopicAuthorizationFailed, code == kafka.UnsupportedVersion:
		return -1, nil // asking again would not help
	case code != 0:
		return -1, code
	}
	return end, nil
}

func topicRequest(topic string) []byte {
	b := []byte{0, 2} // no tags; one topic
	b = append(b, make([]byte, len(uuid.UUID{}))...)
	b = append(binary.AppendUvarint(b, uint64(len(topic)+1)), topic...)
	return append(b, 0, 0, 0, 0, 0) // tags; do not create it, list no rights, tags
}

func topicResponse(b []byte) (id uuid.UUID, err error) {
	r := kafkawire.Reader{Rest: b}
	r.SkipTags()
	r.Skip(4) // throttling
	for n := r.Uvarint(); n > 1 && !r.Short; n-- {
		r.Skip(4)
		r.SkipCompact() // host
		r.Skip(4)
		r.SkipCompact() // rack
		r.SkipTags()
	}
	r.SkipCompact() // cluster
	r.Skip(4)
	topics := r.Uvarint()
	code := kafka.Error(r.Int16())
	r.SkipCompact() // name
	copy(id[:], r.Bytes(len(id)))
	switch {
	case r.Short || topics != 2:
		return uuid.UUID{}, errShortAnswer
	case code != 0:
		return uuid.UUID{}, code
	}
	return id, nil
}
