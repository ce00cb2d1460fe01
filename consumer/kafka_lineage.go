package consumer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

// lineage is what Kafka knows of a partition's past.
type lineage struct {
	topic topicID
	// end is where the records of an epoch end on the leader's log, -1 where that is not known. What was read of that epoch beyond it is not
	// on the topic any more.
	end int64
}

// topicID tells a topic from another one that was made under the same name. The zero value is none: brokers before 2.8 have no ids.
type topicID [16]byte

const (
	// The versions of both requests that are sent. Brokers have had them since 2.3 and 2.8.
	epochVersion = 3
	topicVersion = 10

	offsetForLeaderEpoch = protocol.ApiKey(23)
	// maxLineage is the largest answer to either that is believed.
	maxLineage = 4 << 20
	// lineageTimeout is shorter than that of other requests: after a failed fetch it comes before the next one.
	lineageTimeout = 3 * time.Second
)

// lineage asks for the topic's id, and if a term is known for the end of its epoch. Of a broker that knows neither it returns neither.
func (k *cluster) lineage(ctx context.Context, partition int, of term) (out lineage, err error) {
	ctx, cancel := context.WithTimeout(ctx, lineageTimeout)
	defer cancel()
	defer func() {
		if err != nil {
			k.forgetVersions() // a broker of another version may have answered
		}
	}()
	out = lineage{end: -1}
	speaks, err := k.speaks(ctx)
	if err != nil {
		return out, err
	}
	if speaks[int(protocol.Metadata)] >= topicVersion {
		ask := &rawAsk{key: protocol.Metadata, version: topicVersion, body: topicQuestion(k.conn.Topic)}
		if _, err := k.transport.RoundTrip(ctx, k.client.Addr, ask); err != nil {
			return out, fmt.Errorf("topic id: %w", err)
		}
		if out.topic, err = topicAnswer(ask.answer); err != nil {
			return out, fmt.Errorf("topic id: %w", err)
		}
	}
	if epoch := int32(of) - 1; epoch >= 0 && speaks[int(offsetForLeaderEpoch)] >= epochVersion {
		ask := &leaderAsk{rawAsk: rawAsk{key: offsetForLeaderEpoch, version: epochVersion, body: epochQuestion(k.conn.Topic, partition, epoch)}}
		ask.route.Topics = []fetchapi.RequestTopic{{Topic: k.conn.Topic, Partitions: []fetchapi.RequestPartition{{Partition: int32(partition)}}}} //nolint:gosec // Kafka's own type
		if _, err := k.transport.RoundTrip(ctx, k.client.Addr, ask); err != nil {
			return out, fmt.Errorf("end of epoch %d: %w", epoch, err)
		}
		if out.end, err = epochAnswer(ask.answer); err != nil {
			return out, fmt.Errorf("end of epoch %d: %w", epoch, err)
		}
	}
	return out, nil
}

// speaks is the highest version of each request that the brokers know. It is asked for once, and after a failure again.
func (k *cluster) speaks(ctx context.Context) (map[int]int, error) {
	k.asking.Lock()
	defer k.asking.Unlock()
	if k.spoken != nil {
		return k.spoken, nil
	}
	resp, err := k.client.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err != nil {
		return nil, fmt.Errorf("versions: %w", err)
	}
	if resp.Error != nil {
		return nil, fmt.Errorf("versions: %w", resp.Error)
	}
	k.spoken = map[int]int{}
	for _, key := range resp.ApiKeys {
		k.spoken[key.ApiKey] = key.MaxVersion
	}
	return k.spoken, nil
}

// forgetVersions has the brokers asked again: they may have been replaced by older ones, which close the connection at a version that they
// do not know.
func (k *cluster) forgetVersions() {
	k.asking.Lock()
	defer k.asking.Unlock()
	k.spoken = nil
}

// rawAsk is a request that kafka-go does not know, or not in that version. Its transport sends it to any broker.
type rawAsk struct {
	key     protocol.ApiKey
	version int16
	body    []byte
	answer  []byte
}

// leaderAsk is one for the partition's leader.
type leaderAsk struct {
	rawAsk

	route fetchapi.Request
}

// Broker picks the leader.
func (a *leaderAsk) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	return a.route.Broker(cluster) //nolint:wrapcheck // kafka-go calls it
}

// ApiKey, Required and RawExchange are how kafka-go's transport sends it.
func (a *rawAsk) ApiKey() protocol.ApiKey { return a.key }

// Required asks for RawExchange.
func (a *rawAsk) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange sends the request and reads the answer.
func (a *rawAsk) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	const client, correlation = "sluice-consumer", 1 // one request at a time on a connection
	b := binary.BigEndian.AppendUint16(make([]byte, 4, 128), uint16(a.key))
	b = binary.BigEndian.AppendUint16(b, uint16(a.version)) //nolint:gosec // as it is on the wire
	b = binary.BigEndian.AppendUint32(b, correlation)
	b = append(appendText(b, client), a.body...)
	binary.BigEndian.PutUint32(b, uint32(len(b)-4)) //nolint:gosec // small
	if _, err := rw.Write(b); err != nil {
		return nil, err //nolint:wrapcheck // the caller says what it was doing
	}
	answer, err := readAnswer(rw, nil, maxLineage, correlation)
	if err != nil {
		return nil, err
	}
	a.answer = answer[4:]
	return a, nil
}

func epochQuestion(topic string, partition int, epoch int32) []byte {
	b := binary.BigEndian.AppendUint32(nil, ^uint32(0)) // not a replica
	b = appendText(binary.BigEndian.AppendUint32(b, 1), topic)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(partition)) //nolint:gosec // as it is on the wire
	b = binary.BigEndian.AppendUint32(b, ^uint32(0))        // whatever the leader's epoch is
	return binary.BigEndian.AppendUint32(b, uint32(epoch))  //nolint:gosec // as it is on the wire
}

var errShortAnswer = errors.New("an answer that ends too early")

func epochAnswer(b []byte) (int64, error) {
	r := wire{b: b}
	r.skip(4) // throttling
	topics := r.int32()
	r.skip(int(r.int16()))
	partitions := r.int32()
	code := kafka.Error(r.int16())
	r.skip(4 + 4) // partition, epoch
	end := r.int64()
	switch {
	case topics == 1 && partitions == 1 && !r.bad && (code == kafka.TopicAuthorizationFailed || code == kafka.UnsupportedVersion):
		return -1, nil // asking again would not help
	case topics == 1 && partitions == 1 && !r.bad && code != 0:
		return -1, code
	case topics != 1 || partitions != 1 || r.bad:
		return -1, errShortAnswer
	}
	return end, nil
}

func topicQuestion(topic string) []byte {
	b := []byte{0, 2} // no tags; one topic
	b = append(b, make([]byte, len(topicID{}))...)
	b = append(binary.AppendUvarint(b, uint64(len(topic)+1)), topic...)
	return append(b, 0, 0, 0, 0, 0) // tags; not to be made, no rights asked for, tags
}

func topicAnswer(b []byte) (id topicID, err error) {
	r := wire{b: b}
	r.tags()
	r.skip(4) // throttling
	for n := r.uvarint(); n > 1 && !r.bad; n-- {
		r.skip(4)
		r.compact() // host
		r.skip(4)
		r.compact() // rack
		r.tags()
	}
	r.compact() // cluster
	r.skip(4)
	topics := r.uvarint()
	code := kafka.Error(r.int16())
	r.compact() // name
	copy(id[:], r.take(len(id)))
	switch {
	case r.bad || topics != 2:
		return topicID{}, errShortAnswer
	case code != 0:
		return topicID{}, code
	}
	return id, nil
}

// uvarint reads a number without a sign.
func (w *wire) uvarint() uint64 {
	v, n := binary.Uvarint(w.b)
	if n <= 0 {
		w.bad, w.b = true, nil
		return 0
	}
	w.b = w.b[n:]
	return v
}

// compact passes over bytes with their length before them, which is one more than it is, or 0 for null.
func (w *wire) compact() {
	if n := w.uvarint(); n > 0 {
		w.skip(int(min(n-1, maxAnswer))) //nolint:gosec // bounded
	}
}

// tags passes over fields that not every version has.
func (w *wire) tags() {
	for n := w.uvarint(); n > 0 && !w.bad; n-- {
		w.uvarint()
		w.skip(int(min(w.uvarint(), maxAnswer))) //nolint:gosec // bounded
	}
}
