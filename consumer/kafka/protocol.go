package kafka

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"sluice/internal/kafkawire"
)

// consumerProtocol is the type of every group of consumers. Kafka defines what its members send each other: a subscription goes to the
// leader, an assignment comes back. Later versions of both add fields at the end, which are not read here.
const consumerProtocol = "consumer"

// subscription is what a member asks for.
type subscription struct {
	topics   []string
	userData []byte
}

var (
	errSubscription = errors.New("the subscription ends too early")
	errAssignment   = errors.New("the assignment ends too early")
)

// encodeSubscription writes version 0: version, topics, user data.
func encodeSubscription(s subscription) []byte {
	b := binary.BigEndian.AppendUint16(nil, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.topics))) //nolint:gosec // one
	for _, t := range s.topics {
		b = appendText(b, t)
	}
	return appendBytes(b, s.userData)
}

// decodeSubscription reads any version. Of a broken subscription it returns the readable start and an error.
func decodeSubscription(b []byte) (s subscription, err error) {
	w := kafkawire.Reader{Rest: b}
	w.Skip(2)
	for range w.Int32() {
		if w.Short {
			return s, errSubscription
		}
		s.topics = append(s.topics, string(w.Bytes(int(w.Int16()))))
	}
	if n := w.Int32(); n >= 0 {
		s.userData = w.Bytes(int(n))
	}
	if w.Short {
		return s, errSubscription
	}
	return s, nil
}

// encodeAssignment writes version 0: version, topics, each with its partitions, no user data.
func encodeAssignment(topics map[string][]int) []byte {
	b := binary.BigEndian.AppendUint16(nil, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(topics))) //nolint:gosec // few
	for _, t := range slices.Sorted(maps.Keys(topics)) {
		b = appendText(b, t)
		b = binary.BigEndian.AppendUint32(b, uint32(len(topics[t]))) //nolint:gosec // Kafka's own type
		for _, p := range topics[t] {
			b = binary.BigEndian.AppendUint32(b, uint32(p)) //nolint:gosec // Kafka's own type
		}
	}
	return appendBytes(b, nil)
}

// decodeAssignment returns the partitions of one topic, sorted. An empty assignment has none.
func decodeAssignment(b []byte, topic string) (partitions []int, err error) {
	if len(b) == 0 {
		return nil, nil
	}
	w := kafkawire.Reader{Rest: b}
	w.Skip(2)
	for range w.Int32() {
		name := string(w.Bytes(int(w.Int16())))
		for range w.Int32() {
			if w.Short {
				return nil, errAssignment
			}
			if p := int(w.Int32()); name == topic {
				partitions = append(partitions, p)
			}
		}
		if w.Short {
			return nil, errAssignment
		}
	}
	if w.Short {
		return nil, errAssignment
	}
	slices.Sort(partitions)
	return partitions, nil
}

// appendText writes a text and before it its length in two bytes.
func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...) //nolint:gosec // a topic's name
}

// appendBytes writes bytes and before them their length in four bytes. It writes nil as empty, because old members cannot read null.
func appendBytes(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...) //nolint:gosec // small
}
